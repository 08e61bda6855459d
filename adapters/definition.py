"""An adapter's file (adapter.yaml) as typed values: which source, which mapping, which broker.

    profile: talq                       # a ready profile: adapters/talq/adapter.yaml is the file underneath this one
    settings: {site: chalons}           # what the profile asks for; stands in the profile as ${site}
    broker: {url: http://localhost:1026, tenant: chalons, token: "${BROKER_TOKEN}"}

`${name}` is a setting, or else an environment variable; within a text a list or mapping stands as JSON, as JMESPath's
literals want it; `$${` stands for a plain `${`. Whatever a file says is laid
over its profile, member by member; null takes a member of the profile away; a source or format of another `kind`
takes the place of the profile's whole.
"""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from adapters.errors import DefinitionError
from adapters.options import read, shown

PROFILES = Path(__file__).parent
"""A profile is a folder here with an adapter.yaml in it."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_TENANT = re.compile(r"[A-Za-z0-9_-]{0,64}")
_REFERENCE = re.compile(r"\$(\$?)\{([A-Za-z_][A-Za-z0-9_]*)\}")


@dataclass(frozen=True, slots=True)
class Broker:
    """Where entities go. `context`: the @context that explains the short names; by default the broker's own."""

    url: str
    tenant: str = ""
    token: str = ""
    context: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    timeout: float = 30.0

    def request_headers(self) -> dict[str, str]:
        """The headers of every request to it: content, @context, tenant, token."""
        headers = {
            "Content-Type": "application/json",
            "Accept": "application/json",
            "Link": f'<{self.context_url}>; rel="http://www.w3.org/ns/json-ld#context"; type="application/ld+json"',
        }
        if self.tenant:
            headers["NGSILD-Tenant"] = self.tenant
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        return headers | self.headers

    @property
    def context_url(self) -> str:
        """The URL for the Link header of what is sent."""
        return self.context or f"{self.url.rstrip('/')}/contexts/territory.jsonld"


@dataclass(frozen=True, slots=True)
class Delivery:
    """How the sink sends: entities a batch, back-off between tries (seconds), how long what does not change rests."""

    batch: int = 250
    retry_first: float = 0.5
    retry_most: float = 60.0
    refresh_static: float = 86400.0


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of what an adapter keeps on disk. `when_full`: `wait` (the source waits, nothing is lost) or
    `drop_oldest` (the oldest entities make room, and are counted)."""

    queue_entities: int = 1_000_000
    queue_bytes: int = 1_000_000_000
    when_full: str = "wait"
    dead_letter_bytes: int = 100_000_000


@dataclass(frozen=True, slots=True)
class Metrics:
    """The Prometheus endpoint; no port, no endpoint."""

    port: int | None = None
    host: str = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Table:
    """A CSV for `lookup(name, key)`: rows by the column `key`. A relative file stands beside the adapter's file. With a
    `type` in its place, entities of the broker by their attribute `key`, or by `id`: those that `q` finds, at most
    `most`, with these `attributes` (all where none is said), fetched every `refresh` seconds."""

    key: str
    file: str = ""
    delimiter: str = ","
    encoding: str = "utf-8-sig"
    type: str = ""
    attributes: tuple[str, ...] = ()
    q: str = ""
    refresh: float = 300.0
    most: int = 10_000


@dataclass(frozen=True, slots=True)
class Definition:
    """A whole adapter. `source` and `format` keep their kind's own options, `entities` the templates by name."""

    name: str
    source: dict[str, Any]
    entities: dict[str, Any]
    broker: Broker
    profile: str | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    format: dict[str, Any] = field(default_factory=lambda: {"kind": "json"})
    records: str | None = None
    time_zone: str | None = None
    tables: dict[str, Any] = field(default_factory=dict)
    validate: str = "warn"
    commands: dict[str, Any] = field(default_factory=dict)
    delivery: Delivery = field(default_factory=Delivery)
    limits: Limits = field(default_factory=Limits)
    metrics: Metrics = field(default_factory=Metrics)
    state: str = ""
    file: str = ""

    @property
    def state_directory(self) -> Path:
        """Where the queue, the memory of what was sent and the dead letters are."""
        root = os.environ.get("BEFFROI_ADAPTER_STATE", "adapter-state")
        return Path(self.state) if self.state else Path(root) / self.name

    def beside(self, name: str) -> Path:
        """A file named in the definition: relative names stand beside the definition's own file."""
        return Path(self.file).parent / name

    def lookup_tables(self) -> dict[str, Table]:
        """The declared CSV tables by name."""
        tables = {name: read(Table, table, f"{self.file}: tables.{name}") for name, table in self.tables.items()}
        for name, table in tables.items():
            if bool(table.file) == bool(table.type):
                raise DefinitionError(f"{self.file}: tables.{name}", "must have a file (a CSV) or a type (of entities)")
            if table.refresh <= 0 or table.most <= 0:
                raise DefinitionError(f"{self.file}: tables.{name}", "refresh and most must be more than 0")
        return tables


def load(file: Path, environment: Mapping[str, str] | None = None) -> Definition:
    """The definition in `file`, its profile underneath, its references filled in, everything checked.

    Raises DefinitionError that names the file, the path in it and what would be right.
    """
    environment = os.environ if environment is None else environment
    data = _parsed(file)
    profile = data.get("profile")
    if profile is not None:
        data = _laid_over(_parsed(_profile_file(profile, file)), data)
    settings = data.get("settings") or {}
    if not isinstance(settings, dict):
        raise DefinitionError(f"{file}: settings", f"must be a mapping (name: value), not {shown(settings)}")
    for name, value in settings.items():
        if value == REQUIRED:
            raise DefinitionError(f"{file}: settings.{name}", f"is missing; the profile {profile} needs it")
    settings = _filled(settings, {}, environment, f"{file}: settings")
    data = {name: _filled(value, settings, environment, f"{file}: {name}") for name, value in data.items()}
    data = {"name": file.stem, **data, "settings": settings, "file": str(file)}
    for name in ("source", "format"):
        if isinstance(data.get(name), str):
            data[name] = {"kind": data[name]}
    if data.get("validate") is False:  # YAML 1.1 reads a plain `off` so
        data["validate"] = "off"
    definition = read(Definition, data, str(file))
    _check(definition)
    return definition


REQUIRED = "required"
"""The value of a profile's setting that has no default: the user's file must give it."""


def profiles() -> list[str]:
    """The names of the ready profiles."""
    return sorted(path.parent.name for path in PROFILES.glob("*/adapter.yaml"))


def _profile_file(profile: object, file: Path) -> Path:
    if isinstance(profile, str) and profile in profiles():
        return PROFILES / profile / "adapter.yaml"
    raise DefinitionError(f"{file}: profile", f"{shown(profile)} is not a profile; there are: {', '.join(profiles())}")


def _parsed(file: Path) -> dict[str, Any]:
    try:
        data = yaml.safe_load(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise DefinitionError(str(file), f"cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise DefinitionError(str(file), "is not UTF-8 text") from None
    except yaml.YAMLError as error:
        raise DefinitionError(str(file), "is not YAML: " + " ".join(str(error).split())) from None
    if not isinstance(data, dict):
        raise DefinitionError(str(file), "must hold a mapping such as `profile: talq`")
    return data


def _laid_over(under: Any, over: Any) -> Any:
    if isinstance(under, dict) and isinstance(over, dict):
        if "kind" in over and over["kind"] != under.get("kind"):
            return over  # another kind has other options
        merged = dict(under)
        for name, value in over.items():
            if value is None:
                merged.pop(name, None)
            else:
                merged[name] = _laid_over(under.get(name), value)
        return merged
    return over


def _filled(value: Any, settings: Mapping[str, Any], environment: Mapping[str, str], where: str) -> Any:
    if isinstance(value, dict):
        return {name: _filled(each, settings, environment, f"{where}.{name}") for name, each in value.items()}
    if isinstance(value, list):
        return [_filled(each, settings, environment, f"{where}[{at}]") for at, each in enumerate(value)]
    if not isinstance(value, str) or "${" not in value:
        return value

    def found(name: str) -> Any:
        if name in settings:
            return settings[name]
        if name in environment:
            return environment[name]
        raise DefinitionError(where, f"${{{name}}} is neither a setting nor an environment variable; set one of them")

    whole = _REFERENCE.fullmatch(value)
    if whole and not whole.group(1):
        return found(whole.group(2))  # a lone reference keeps the setting's type: a number, a list, a mapping

    def in_text(match: re.Match[str]) -> str:
        if match.group(1):
            return match.group(0)[1:]
        value = found(match.group(2))
        return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)

    return _REFERENCE.sub(in_text, value)


def _check(definition: Definition) -> None:
    file = definition.file
    for where, value, allowed in (
        ("validate", definition.validate, ("strict", "warn", "off")),
        ("limits.when_full", definition.limits.when_full, ("wait", "drop_oldest")),
    ):
        if value not in allowed:
            raise DefinitionError(f"{file}: {where}", f"must be one of {', '.join(allowed)}, not {shown(value)}")
    if not _NAME.fullmatch(definition.name):
        raise DefinitionError(f"{file}: name", f"must be letters, digits, . _ and -, not {shown(definition.name)}")
    if not _TENANT.fullmatch(definition.broker.tenant):
        raise DefinitionError(f"{file}: broker.tenant", "must be at most 64 letters, digits, _ and -")
    url = urlsplit(definition.broker.url)
    if url.scheme not in ("http", "https") or not url.hostname:
        raise DefinitionError(f"{file}: broker.url", "must be a URL such as http://localhost:1026")
    for part in ("source", "format"):
        if not isinstance(getattr(definition, part).get("kind"), str):
            raise DefinitionError(f"{file}: {part}.kind", "is missing; it names what kind of " + part + " this is")
    if not definition.entities:
        raise DefinitionError(f"{file}: entities", "is empty; it names at least one entity template")
    for where, number in (
        ("delivery.batch", definition.delivery.batch),
        ("delivery.retry_first", definition.delivery.retry_first),
        ("limits.queue_entities", definition.limits.queue_entities),
        ("limits.queue_bytes", definition.limits.queue_bytes),
        ("limits.dead_letter_bytes", definition.limits.dead_letter_bytes),
    ):
        if number <= 0:
            raise DefinitionError(f"{file}: {where}", f"must be more than 0, not {number}")
