"""Entities that the broker shows, in notifications or in answers, into commands that are taken: each once."""

import asyncio
import logging
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

import orjson

from adapters.commands.audit import Audit
from adapters.commands.ledger import Ledger
from adapters.commands.states import ERROR, EXPIRED, FINAL, PENDING, TAKEN, UNKNOWN, Order
from adapters.commands.template import CommandTemplate
from adapters.errors import MappingError

_log = logging.getLogger("beffroi.adapter.commands")

_NAMESPACE = uuid.UUID("5c6a3d3e-7a7e-5f57-9d43-6f0c3a0e8d11")
"""Of the ids of commands, which are made of what the broker says of them."""

_OWN = frozenset({"type", "value", "object", "createdAt", "modifiedAt", "observedAt", "unitCode", "datasetId"})
"""Members of an attribute that are no sub-properties."""

_SIMPLE = ("value", "object", "languageMap", "json", "vocab")
"""The member that is an attribute's simplified form."""

BY = "requestedBy"
"""The sub-property that says who asks."""

COMMAND_ID = "commandId"
"""The sub-property of `<name>_status` that says of which command it is."""


class Intake:
    """Takes commands into the ledger. `changed` is called with the state that each begins in."""

    def __init__(
        self,
        templates: Iterable[CommandTemplate],
        ledger: Ledger,
        audit: Audit,
        most: int,
        changed: Callable[[str], None],
    ) -> None:
        self._templates = tuple(templates)
        self._ledger = ledger
        self._audit = audit
        self._most = most
        self._changed = changed
        self._lock = asyncio.Lock()

    @property
    def full(self) -> bool:
        """Whether as many commands wait as may."""
        return self._ledger.pending >= self._most

    async def take(self, entities: Iterable[Any]) -> None:
        """The commands in entities (normalized, with system attributes)."""
        async with self._lock:
            for template, entity, attribute in self._commands_in(entities):
                try:
                    await self._take(template, entity, attribute)
                except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
                    # what one entity has in it must not keep the others from being commanded
                    _log.exception("%s of %s: a command that cannot be read", template.name, entity["id"])

    def dated(self, entities: Iterable[Any]) -> bool:
        """Whether each command in entities says when it was written. A broker that does not say so in notifications
        must be asked: the same command would be another one, the next time it is seen."""
        return all("modifiedAt" in attribute for _, _, attribute in self._commands_in(entities))

    def _commands_in(
        self, entities: Iterable[Any]
    ) -> Iterator[tuple[CommandTemplate, Mapping[str, Any], Mapping[str, Any]]]:
        for entity in entities:
            if not isinstance(entity, dict) or not isinstance(entity.get("id"), str):
                continue
            for template in self._templates:
                attribute = entity.get(template.name)
                if _is_of(template, entity) and isinstance(attribute, dict) and "value" in attribute:
                    yield template, entity, attribute

    async def _take(self, template: CommandTemplate, entity: Mapping[str, Any], attribute: Mapping[str, Any]) -> None:
        written = str(attribute.get("modifiedAt") or attribute.get("observedAt") or "")
        command_id = _identifier(entity["id"], template.name, attribute, written)
        if await self._ledger.known(command_id):
            return
        address = await self._ledger.address(entity["id"])
        if address is None and not template.anyone:
            _log.info("%s of %s is not taken: no record has told of it", template.name, entity["id"])
            return
        status = entity.get(f"{template.name}_status")
        told = _value(status, COMMAND_ID) == command_id and isinstance(status, dict)
        if told and status is not None and str(status.get("value")) in FINAL:
            return  # carried out before this state directory was begun
        order = _order(template, entity, attribute, command_id, written, address)
        if told:
            order = order.into(UNKNOWN, "it was taken before, and what became of it is not known here any more")
        elif order.expires < time.time():
            order = order.into(EXPIRED, f"older than {template.time_to_live:g} s when it came; not sent")
        else:
            try:
                order = template.checked(order)
            except MappingError as error:
                order = order.into(ERROR, error.detail)
        await self._audit.add([order])
        if await self._ledger.add(order):
            self._changed(order.state)


def _is_of(template: CommandTemplate, entity: Mapping[str, Any]) -> bool:
    types = entity.get("type")
    named = template.type in types if isinstance(types, list) else template.type == types
    return named and str(entity["id"]).startswith(template.prefix)


def _identifier(entity: str, name: str, attribute: Mapping[str, Any], written: str) -> str:
    """The same for the same writing of the attribute, however often and by which way it is told."""
    parts = [entity, name, written, attribute.get("observedAt", ""), attribute["value"]]
    return str(uuid.uuid5(_NAMESPACE, orjson.dumps(parts, option=orjson.OPT_SORT_KEYS).decode()))


def _order(
    template: CommandTemplate,
    entity: Mapping[str, Any],
    attribute: Mapping[str, Any],
    command_id: str,
    written: str,
    address: Any,
) -> Order:
    requested = _seconds(written)
    # a partial update leaves what an earlier command said where it is: it is not of this one
    options = {
        name: _value(attribute, name) for name, said in attribute.items() if name not in _OWN and _new(said, written)
    }
    by = options.get(BY)
    return Order(
        id=command_id,
        template=template.template,
        entity=entity["id"],
        type=template.type,
        name=template.name,
        value=attribute["value"],
        options=options,
        attributes={name: _value(entity, name) for name in template.needs if name in entity},
        address=address,
        by=by if isinstance(by, str) else "",
        requested=requested,
        expires=requested + template.time_to_live,
        state=PENDING,
        state_at=time.time(),
        info=TAKEN,
        key=command_id,
    )


def _new(said: Any, written: str) -> bool:
    """Whether a sub-property was written with the command, as far as the broker tells."""
    at = said.get("modifiedAt") if isinstance(said, dict) else None
    return at is None or _seconds(at) >= _seconds(written)


def _seconds(text: str) -> float:
    """A time in seconds since 1970; now where it is none."""
    try:
        return datetime.fromisoformat(text).timestamp()
    except (TypeError, ValueError):
        return time.time()


def _value(of: Any, name: str) -> Any:
    """The value of an attribute in its simplified form."""
    found = of.get(name) if isinstance(of, dict) else None
    if not isinstance(found, dict):
        return found
    return next((found[member] for member in _SIMPLE if member in found), found)
