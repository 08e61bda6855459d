"""A command's templates, compiled once: the value that may be asked, the request it becomes, and how its outcome is
told."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote, urlencode
from zoneinfo import ZoneInfo

import orjson

from adapters.commands.audit import time_text
from adapters.commands.downlink import Answer, Request
from adapters.commands.http import reason
from adapters.commands.options import AnswerOptions, CommandOptions, CommandsOptions, OutcomeOptions, RequestOptions
from adapters.commands.states import DELIVERED, ERROR, OK, STATES, Order
from adapters.errors import DefinitionError, MappingError
from adapters.mapping.compiler import Expression, is_false
from adapters.mapping.expressions import MappingFunctions, compile_expression
from adapters.mapping.template import AttributeOptions
from adapters.mapping.values import Conversion, compile_conversion
from adapters.options import read, shown

Encoding = Callable[[Any], bytes]
"""From what `body` makes to what is sent, for vendors whose messages are not JSON."""

_NEEDED = {"http": "url", "mqtt": "topic"}
"""What a request must have for a way to the vendor."""


@dataclass(frozen=True, slots=True)
class OutcomeTemplate:
    """A way in which a record tells what became of a command."""

    when: Expression | None
    of: Expression
    state: Expression
    info: Expression | None


@dataclass(frozen=True, slots=True)
class CommandTemplate:
    """A command of an entity template, under one of its names."""

    template: str
    type: str
    prefix: str
    name: str
    needs: tuple[str, ...]
    anyone: bool
    idempotent: bool
    time_to_live: float
    timeout: float
    outcomes: tuple[OutcomeTemplate, ...]
    _convert: Conversion | None
    _key: Expression | None
    _request: Callable[[Mapping[str, Any]], Request]
    _done: Expression | None
    _failed: Expression | None
    _info: Expression | None

    def checked(self, order: Order) -> Order:
        """The command with the value as the vendor is to have it and the key that its messages will name. Raises
        MappingError where the value is none that may be asked."""
        value = order.value if self._convert is None else self._convert(order.value)
        if value is None:
            raise MappingError(f"{shown(order.value)} is not a value that can be asked")
        key = order.id
        if self._key is not None:
            key = str(self._key(replace_value(seen(order), value)))
        return replace(order, key=key)

    def request(self, order: Order) -> Request:
        """What is sent. Raises MappingError."""
        value = order.value if self._convert is None else self._convert(order.value)
        return replace(self._request(replace_value(seen(order), value)), expires=order.expires)

    def answered(self, order: Order, answer: Answer) -> tuple[str, Any]:
        """The state that an answer means, and its words. Raises MappingError."""
        context = {"status": answer.status, "body": answer.body, "command": seen(order)}
        if not 200 <= answer.status < 300:
            return ERROR, f"answered {answer.status}: {reason(answer)}"
        failed = None if self._failed is None else self._failed(context)
        if not is_false(failed):
            return ERROR, failed if isinstance(failed, str) else "the answer says that it failed"
        done = not self.outcomes if self._done is None else not is_false(self._done(context))
        info = None if self._info is None else self._info(context)
        if info is None:
            info = "done" if done else "the vendor has it"
        return (OK if done else DELIVERED), info


def replace_value(context: dict[str, Any], value: Any) -> dict[str, Any]:
    """The context with the value as the vendor is to have it."""
    context["value"] = value
    return context


def seen(order: Order) -> dict[str, Any]:
    """What expressions see of a command."""
    return {
        "id": order.id,
        "name": order.name,
        "entity": order.entity,
        "type": order.type,
        "value": order.value,
        "options": order.options,
        "attributes": order.attributes,
        "address": order.address,
        "by": order.by,
        "time": time_text(order.requested),
    }


def compile_commands(
    template: str,
    entity: Mapping[str, Any],
    options: CommandsOptions,
    functions: MappingFunctions,
    zone: ZoneInfo | None,
    encode: Encoding | None,
    where: str,
) -> list[CommandTemplate]:
    """The commands in an entity template of an adapter's file; DefinitionError that names the member at fault."""
    compiled: list[CommandTemplate] = []
    declared = entity.get("commands") or {}
    if not isinstance(declared, Mapping):
        raise DefinitionError(where, f"must be a mapping (name: command), not {shown(declared)}")
    for name, data in declared.items():
        if data is not None:
            compiled += _compile(template, entity, str(name), data, options, functions, zone, encode, f"{where}.{name}")
    return compiled


def _compile(
    template: str,
    entity: Mapping[str, Any],
    name: str,
    data: object,
    general: CommandsOptions,
    functions: MappingFunctions,
    zone: ZoneInfo | None,
    encode: Encoding | None,
    where: str,
) -> list[CommandTemplate]:
    chosen = read(CommandOptions, data, where)
    answer = read(AnswerOptions, chosen.answer, f"{where}.answer")
    shape = read(AttributeOptions, chosen.value, f"{where}.value")
    request = read(RequestOptions, chosen.request, f"{where}.request")
    needed = _NEEDED.get(str(general.send.get("kind")))
    if needed is not None and not getattr(request, needed):
        raise DefinitionError(f"{where}.request.{needed}", f"is missing: commands are sent by {general.send['kind']}")

    def expression(text: str | None, member: str) -> Expression | None:
        return None if text is None else compile_expression(text, functions, f"{where}.{member}")

    one = CommandTemplate(
        template=template,
        type=str(entity.get("type")),
        prefix=str(entity.get("id", "")).partition("{")[0],
        name=name,
        needs=chosen.needs,
        anyone=chosen.anyone,
        idempotent=chosen.idempotent,
        time_to_live=general.time_to_live if chosen.time_to_live is None else chosen.time_to_live,
        timeout=general.timeout if chosen.timeout is None else chosen.timeout,
        outcomes=tuple(_outcome(each, functions, f"{where}.outcomes[{at}]") for at, each in enumerate(chosen.outcomes)),
        _convert=compile_conversion(shape, zone, f"{where}.value"),
        _key=expression(chosen.key, "key"),
        _request=_compile_request(request, functions, encode, f"{where}.request"),
        _done=expression(answer.done, "answer.done"),
        _failed=expression(answer.failed, "answer.failed"),
        _info=expression(answer.info, "answer.info"),
    )
    names = (name,) if chosen.names is None else chosen.names
    return [replace(one, name=each) for each in names]


def _outcome(data: object, functions: MappingFunctions, where: str) -> OutcomeTemplate:
    options = read(OutcomeOptions, data, where)
    return OutcomeTemplate(
        when=None if options.when is None else compile_expression(options.when, functions, f"{where}.when"),
        of=compile_expression(options.of, functions, f"{where}.of"),
        state=compile_expression(options.state, functions, f"{where}.state"),
        info=None if options.info is None else compile_expression(options.info, functions, f"{where}.info"),
    )


def as_state(value: Any) -> str | None:
    """A state that an outcome's expression made; MappingError for a word that is none."""
    if value is None or value in STATES:
        return None if value is None else str(value)
    raise MappingError(f"{shown(value)} is not a state of a command; there are {', '.join(STATES)}")


def _compile_request(
    options: RequestOptions, functions: MappingFunctions, encode: Encoding | None, where: str
) -> Callable[[Mapping[str, Any]], Request]:
    if bool(options.url) == bool(options.topic):
        raise DefinitionError(where, "must have a url (for HTTP) or a topic (for MQTT)")
    url = _text(options.url, functions, _in_url, f"{where}.url")
    topic = _text(options.topic, functions, _in_topic, f"{where}.topic")
    body = None if options.body is None else compile_expression(options.body, functions, f"{where}.body")
    form = {name: compile_expression(text, functions, f"{where}.form.{name}") for name, text in options.form.items()}
    parameters, headers = (
        {name: _text(text, functions, str, f"{where}.{member}.{name}") for name, text in pairs.items()}
        for member, pairs in (("parameters", options.parameters), ("headers", options.headers))
    )

    def made(context: Mapping[str, Any]) -> Request:
        if form:
            content, kind = _form({name: value(context) for name, value in form.items()})
        else:
            content, kind = _encoded(None if body is None else body(context), encode)
        return Request(
            body=content,
            content_type=kind,
            url=url(context),
            method=options.method,
            parameters={name: text(context) for name, text in parameters.items()},
            headers={name: text(context) for name, text in headers.items()},
            topic=topic(context),
        )

    return made


def _encoded(content: Any, encode: Encoding | None) -> tuple[bytes, str]:
    if encode is not None:
        return encode(content), "application/octet-stream"
    if isinstance(content, str):
        return content.encode(), "text/plain; charset=utf-8"
    if content is None:
        return b"", "application/json"
    return orjson.dumps(_without_nulls(content)), "application/json"


def _form(values: Mapping[str, Any]) -> tuple[bytes, str]:
    told = {name: str(value) for name, value in values.items() if value is not None}
    return urlencode(told).encode(), "application/x-www-form-urlencoded"


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_nulls(each) for name, each in value.items() if each is not None}
    return [_without_nulls(each) for each in value] if isinstance(value, list) else value


def _text(
    text: str, functions: MappingFunctions, escaped: Callable[[str], str], where: str
) -> Callable[[Mapping[str, Any]], str]:
    """A template such as `application/{address.application}/command`; a part that has no value is an error."""
    pieces = _pieces(text, where)
    literals, expressions = pieces[::2], [compile_expression(each, functions, where) for each in pieces[1::2]]

    def made(context: Mapping[str, Any]) -> str:
        result = literals[0]
        for source, expression, literal in zip(pieces[1::2], expressions, literals[1:], strict=True):
            value = expression(context)
            if isinstance(value, bool) or not isinstance(value, (str, int, float)) or value == "":
                raise MappingError(f"has no text or number but {shown(value)}", expression=source)
            # what stands first in a URL is a whole address, such as a gateway's; what follows is a part of one
            whole = escaped is _in_url and not result
            result += (str(value) if whole else escaped(str(value))) + literal
        return result

    return made


def _pieces(text: str, where: str) -> list[str]:
    """The literals and expressions of a template in turn; braces within an expression come in pairs."""
    pieces, depth = [""], 0
    for character in text:
        depth += (character == "{") - (character == "}")
        if (character, depth) in (("{", 1), ("}", 0)):
            pieces.append("")
        else:
            pieces[-1] += character
        if depth < 0:
            break
    if depth:
        raise DefinitionError(where, f"has braces that are not in pairs: {shown(text)}")
    return pieces


def _in_url(text: str) -> str:
    return quote(text, safe="-._~:@!$'()*+,;=")


def _in_topic(text: str) -> str:
    if any(character in text for character in "+#\0"):
        raise MappingError(f"{shown(text)} cannot be in a topic")
    return text
