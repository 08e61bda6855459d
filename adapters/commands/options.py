"""What an adapter's file says of commands.

commands:                      # how they come, and where they go
  port: 8075                   # the broker's notifications come here; without it, `poll` alone
  url: http://adapter:8075/    # how the broker reaches it, where that is not http://<host>:<port>/
  token: "${COMMAND_TOKEN}"    # what the broker must show; without one, one is made up and kept in the state
  send: {kind: http}           # the way to the vendor: http, mqtt, or a profile's own

entities:
  streetlight:
    address: "{device: address, function: actuator}"     # of each record: what the vendor calls this entity
    commands:
      setIlluminanceLevel:
        value: {range: [0, 1]}                           # shaped as attributes are; what is wrong is not sent
        request: {url: "https://…/{address.device}", body: "{level: value, reference: id}"}
        outcomes: [{when: event == 'done', of: reference, state: "'OK'"}]
"""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class CommandsOptions:
    """Commands are taken where there is a `port` or a `poll` (seconds between looks at the broker for what no
    notification brought; 60 beside a port). `most`: commands that wait at once; beyond it the broker is told to come
    again. `rate`: sent in a second; `concurrency`: at the same time, never two of one entity. `time_to_live`: seconds
    from writing to sending; `timeout`: from sending to the outcome; a command's own go before both. `keep`: seconds
    that what became of a command is remembered."""

    send: dict[str, Any] = field(default_factory=lambda: {"kind": "http"})
    port: int | None = None
    host: str = "127.0.0.1"
    url: str = ""
    token: str = ""
    certificate: str = ""
    key: str = ""
    poll: float | None = None
    time_to_live: float = 60.0
    timeout: float = 300.0
    most: int = 10_000
    rate: float = 20.0
    concurrency: int = 8
    retry_first: float = 0.5
    retry_most: float = 10.0
    keep: float = 30 * 86400.0
    max_bytes: int = 5_000_000

    @property
    def taken(self) -> bool:
        """Whether this adapter takes commands."""
        return self.port is not None or self.poll is not None


@dataclass(frozen=True, slots=True)
class RequestOptions:
    """What is sent. `url`, `parameters`, `headers` and `topic` are templates, `text {expression}`; `body` is an
    expression: a text is sent as it is, anything else as JSON, without members that are null. `form`: expressions by
    name instead, for servers that take forms. A request is for HTTP (`url`) or MQTT (`topic`)."""

    body: str | None = None
    form: dict[str, str] = field(default_factory=dict)
    url: str = ""
    method: str = "POST"
    parameters: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    topic: str = ""


@dataclass(frozen=True, slots=True)
class AnswerOptions:
    """How an answer is read; expressions see `{status, body, command}`. `done`: whether it says the outcome already;
    `failed`: why it is an error though the status is 2xx; `info`: what stands in `<name>_info`."""

    done: str | None = None
    failed: str | None = None
    info: str | None = None


@dataclass(frozen=True, slots=True)
class OutcomeOptions:
    """How a record of the feed tells what became of a command. `when` and `of` (the command's `key`, or a list that
    has it) see the record; `state` and `info` see `{record, command}`. A state that is null tells nothing."""

    of: str
    state: str
    when: str | None = None
    info: str | None = None


@dataclass(frozen=True, slots=True)
class CommandOptions:
    """A command. Expressions see `{id, name, entity, type, value, options, attributes, address, by, time}`.

    `names`: the attributes that are it, where not its own name. `value`: how the value is checked and shaped (type,
    drop, from_unit and unit, range, digits, bands, map). `needs`: attributes of the entity that expressions see under
    `attributes`. `key`: what the vendor's messages say of it, its id where that is not said. `anyone`: taken of
    entities too that no record has told an address of. `idempotent`: may be sent again where nobody knows whether it
    was."""

    request: dict[str, Any]
    names: tuple[str, ...] | None = None
    value: dict[str, Any] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    key: str | None = None
    answer: dict[str, Any] = field(default_factory=dict)
    outcomes: list[Any] = field(default_factory=list)
    time_to_live: float | None = None
    timeout: float | None = None
    idempotent: bool = False
    anyone: bool = False
