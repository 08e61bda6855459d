"""`beffroi adapter new NAME --sample RECORDS`: an adapter begun from a sample, with a mapping that runs.

NAME/adapter.yaml  guessed from the records: format, id, time, position, an attribute for each other value
NAME/README.md     what a reader of the adapter will want to know, to be filled in
NAME/samples/      the sample, which `beffroi adapter check NAME/adapter.yaml --sample NAME/samples` maps
"""

import io
import re
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import orjson
import yaml
from lxml import etree

import data_models
from adapters.check import examine
from adapters.decoding import Fault, open_decoder
from adapters.errors import AdapterError, DecodingError, MappingError
from adapters.mapping.expressions import as_number
from adapters.mapping.times import parse_time
from data_models.attributes import ANY_UNIT, attributes
from ngsi_ld.names import is_name

_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_DECIMAL = re.compile(r"[+-]?\d+,\d+")
_IDS = ("id", "uuid", "deveui", "identifier", "serialnumber", "serial", "reference", "ref", "code", "key", "name")
_TIMES = ("observedat", "measuredat", "timestamp", "time", "datetime", "date", "ts", "recordedat", "updatedat", "at")
_LONGITUDES, _LATITUDES = ("longitude", "lon", "lng", "long"), ("latitude", "lat")
_RESERVED = frozenset({"id", "type", "scope", "value", "object", "observedat", "unitcode", "location"})


@dataclass(frozen=True, slots=True)
class Leaf:
    """A value in the sample's first record: the names that lead to it."""

    path: tuple[str, ...]
    value: Any

    @property
    def word(self) -> str:
        """The last name in small letters without signs, to be known by."""
        return re.sub(r"[^a-z0-9]", "", self.path[-1].lower())

    @property
    def expression(self) -> str:
        """Its JMESPath."""
        return ".".join(name if _IDENTIFIER.fullmatch(name) else orjson.dumps(name).decode() for name in self.path)


def main(name: str, sample: Path, entity_type: str = "", out: TextIO = sys.stdout, err: TextIO = sys.stderr) -> int:
    """Makes the folder `name` in the working directory; 0, or 1 with a sentence where that cannot be."""
    try:
        folder = begin(name, sample, entity_type, Path())
    except AdapterError as error:
        err.write(f"{error}\n")
        return 1
    checked = examine(folder / "adapter.yaml", folder / "samples")
    out.write(f"{folder}/adapter.yaml makes {len(checked.entities)} entities of {checked.records} records:\n")
    for entity in checked.entities[:1]:
        out.write(orjson.dumps(entity, option=orjson.OPT_INDENT_2).decode() + "\n")
    for reason in (*checked.invalid, *(reason for reason, _ in checked.failures)):
        err.write(f"{reason}\n")
    out.write(
        f"What it guessed is in the file: names, units (unit: CEL …) and the source are yours to set right. Then\n"
        f"  beffroi adapter check {folder}/adapter.yaml --sample {folder}/samples\n"
        f"  beffroi adapter run {folder}/adapter.yaml\n"
    )
    return 0


def begin(name: str, sample: Path, entity_type: str, parent: Path) -> Path:
    """The folder, made. Raises AdapterError where name, type or sample is not right, or the folder exists."""
    if not _NAME.fullmatch(name):
        raise AdapterError(f"{name!r} must be small letters, digits and _, beginning with a letter")
    entity_type = entity_type or "".join(part.capitalize() for part in name.split("_"))
    if not is_name(entity_type):
        raise AdapterError(f"{entity_type!r} is not an entity type such as Streetlight")
    folder = parent / name
    if folder.exists():
        raise AdapterError(f"{folder} is there already; choose another name")
    try:
        data = Path(sample).read_bytes()
    except OSError as error:
        raise AdapterError(f"{sample} cannot be read: {error.strerror}") from None
    text = _adapter_file(data, entity_type, str(sample))
    (folder / "samples").mkdir(parents=True)
    shutil.copyfile(sample, folder / "samples" / Path(sample).name)
    (folder / "adapter.yaml").write_text(text, encoding="utf-8")
    (folder / "README.md").write_text(_readme(name, entity_type), encoding="utf-8")
    return folder


def _adapter_file(data: bytes, entity_type: str, where: str) -> str:
    form = _format_of(data, where)
    record, records = _first_record(data, form, where)
    leaves = list(_leaves(record))
    identifier = _first(leaves, _IDS, lambda leaf: isinstance(leaf.value, (str, int)) and leaf.value != "")
    if identifier is None:
        raise AdapterError(f"{where}: the first record has nothing that could name it, such as an id, a code or a name")
    time = _first(leaves, _TIMES, lambda leaf: _is_time(leaf.value))
    longitude = _first(leaves, _LONGITUDES, lambda leaf: _is_number(leaf.value))
    latitude = _first(leaves, _LATITUDES, lambda leaf: _is_number(leaf.value))
    template: dict[str, Any] = {
        "id": f"urn:ngsi-ld:{entity_type}:${{site}}-{{{identifier.expression}}}",
        "type": entity_type,
        "observedAt": time.expression if time else "received()",
        "attributes": {},
    }
    used = {leaf.path for leaf in (identifier, time) if leaf is not None}
    if longitude and latitude:
        used |= {longitude.path, latitude.path}
        point = [longitude.expression, latitude.expression]
        template["attributes"]["location"] = {"point": point, "static": True}
    known = _known(entity_type)
    for leaf in leaves:
        if leaf.path not in used and leaf.value is not None:
            name, spec = _attribute(leaf, known, template["attributes"])
            template["attributes"][name] = spec
    if not template["attributes"]:
        template["attributes"]["name"] = identifier.expression
    definition: dict[str, Any] = {
        "settings": {"site": "chalons"},
        "source": {"kind": "webhook", "port": 8080, "path": "/records", "token": ""},
        "format": form,
        **({"records": records} if records else {}),
        **({"time_zone": "Europe/Paris"} if _has_local_times(leaves) else {}),
        "entities": {"record": template},
        "broker": {"url": "http://localhost:1026"},
    }
    head = "# Begun by `beffroi adapter new`. What may stand here: adapters/README.md of Beffroi.\n"
    return head + yaml.safe_dump(definition, sort_keys=False, allow_unicode=True, width=120)


def _format_of(data: bytes, where: str) -> dict[str, Any]:
    start = data.lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
    if not start:
        raise AdapterError(f"{where} is empty")
    if start == b"<":
        return {"kind": "xml", "record": _record_element(data, where)}
    if start in (b"{", b"["):
        try:
            orjson.loads(data)
        except orjson.JSONDecodeError:
            return {"kind": "ndjson"}
        return {"kind": "json"}
    form = {"kind": "csv"}
    rows = list(open_decoder(form, where).decode(io.BytesIO(data), {}))[:1]
    if any(isinstance(row, dict) and any(_DECIMAL.fullmatch(str(cell)) for cell in row.values()) for row in rows):
        form["decimal"] = ","
    return form


def _record_element(data: bytes, where: str) -> str:
    """The first element that stands beside others of its name; in a document of one record, the one with most in it."""
    try:
        root = etree.fromstring(data, etree.XMLParser(resolve_entities=False, load_dtd=False, no_network=True))
    except etree.XMLSyntaxError as error:
        raise AdapterError(f"{where} is not well-formed XML: {error.msg}") from None
    elements = [each for each in root.iter() if isinstance(each.tag, str)]
    for element in elements:
        if element.getnext() is not None and element.getnext().tag == element.tag and len(element):
            return str(element.tag).rpartition("}")[2]
    return str(max(elements, key=len).tag).rpartition("}")[2]


def _first_record(data: bytes, form: dict[str, Any], where: str) -> tuple[dict[str, Any], str]:
    """The record, and the expression that finds the records in a document where there is need of one."""
    try:
        document = next(iter(open_decoder(form, where).decode(io.BytesIO(data), {})), None)
    except DecodingError as error:
        raise AdapterError(f"{where}: {error}") from None
    if isinstance(document, Fault):
        raise AdapterError(f"{where}: {document.reason}")
    records = ""
    if isinstance(document, dict) and form["kind"] == "json":
        lists = [name for name, value in document.items() if isinstance(value, list) and value]
        lists = [name for name in lists if isinstance(document[name][0], dict)]
        if len(lists) == 1 and len(document) <= 6:
            records = Leaf((lists[0],), None).expression
            document = document[lists[0]]
    if isinstance(document, list):
        document = document[0] if document else None
    if not isinstance(document, dict):
        raise AdapterError(f"{where}: a record must be an object with members")
    return document, records


def _leaves(value: Any, path: tuple[str, ...] = ()) -> Any:
    if isinstance(value, dict):
        for name, member in value.items():
            yield from _leaves(member, (*path, str(name)))
    elif not isinstance(value, list):
        yield Leaf(path, value)


def _first(leaves: list[Leaf], words: tuple[str, ...], fits: Any) -> Leaf | None:
    fitting = [leaf for leaf in leaves if fits(leaf)]
    for word in words:
        for leaf in fitting:
            if leaf.word == word:
                return leaf
    return next((leaf for leaf in fitting if leaf.word.endswith(words[0])), None)


def _attribute(leaf: Leaf, known: dict[str, Any], taken: dict[str, Any]) -> tuple[str, Any]:
    model = known.get(leaf.word)
    name = model.term if model else _camel(leaf.path[-1:])
    if name.lower() in _RESERVED or name in taken or not is_name(name):
        name = _camel(("vendor", *leaf.path))
    spec: dict[str, Any] = {"value": leaf.expression}
    if isinstance(leaf.value, bool):
        spec["type"] = "boolean"
    elif _is_number(leaf.value):
        spec["type"] = "number"
    elif isinstance(leaf.value, str) and _is_time(leaf.value):
        spec["type"] = "time"
    if model and model.unit_code and model.unit_code != ANY_UNIT:
        spec["unit"] = model.unit_code
    return name, spec if len(spec) > 1 else leaf.expression


def _known(entity_type: str) -> dict[str, Any]:
    if entity_type not in data_models.types():
        return {}
    return {name.lower(): attribute for name, attribute in attributes(entity_type).items()}


def _camel(path: tuple[str, ...]) -> str:
    words = [word for part in path for word in re.split(r"[^A-Za-z0-9]+", part) if word]
    joined = "".join(word[0].upper() + word[1:] for word in words)
    joined = joined[:1].lower() + joined[1:]
    return joined if joined[:1].isalpha() else f"vendor{joined}"


def _is_number(value: Any) -> bool:
    try:
        as_number(value)
    except MappingError:
        return False
    return True


def _is_time(value: Any) -> bool:
    """Texts with a date and numbers of this age: 2 is a number of seconds too, and no time that is meant."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return 1e9 < value < 2e9 or 1e12 < value < 2e12
    if not isinstance(value, str) or not re.match(r"\d{4}-\d\d-\d\d", value):
        return False
    try:
        parse_time(value if len(value) > 10 else value + "T00:00:00Z")
    except MappingError as error:
        return "offset" in error.detail
    return True


def _has_local_times(leaves: list[Leaf]) -> bool:
    return any(
        isinstance(leaf.value, str) and _is_time(leaf.value) and not re.search(r"(Z|[+-]\d\d:?\d\d)$", leaf.value[10:])
        for leaf in leaves
    )


def _readme(name: str, entity_type: str) -> str:
    return (
        f"# {name}\n\nWhat the vendor sends, how often, over what; who to ask.\n\n"
        f"## What we make of it\n\n| the vendor's | unit | {entity_type} | unitCode |\n|---|---|---|---|\n\n"
        "## What is lost\n\nWhat of the vendor's is not mapped, and why.\n"
    )
