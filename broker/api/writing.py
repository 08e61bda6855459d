"""The way of every write of one entity: to the store where the tenant has no registrations, else divided (5.6)."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from broker.api.request import Request
from broker.federation.provision import Operation, Write
from broker.federation.writes import Content, Writes
from ngsi_ld.context import Context
from ngsi_ld.entity import Instance
from ngsi_ld.expansion import Fragment
from ngsi_ld.mutations import UpdateResult
from ngsi_ld.query.type_selection import TypeSelection

Subject = TypeVar("Subject", bound=Content)

NOTHING = Fragment(None, [], {})
"""What the deletion of an entity brings."""

_OF_THIS_REQUEST = frozenset({"local", "type"})


async def write(
    request: Request,
    context: Context,
    operation: Operation,
    subject: Subject,
    local: Callable[[Subject], Awaitable[UpdateResult | None]],
    *,
    entity_id: str = "",
    types: TypeSelection | None = None,
    attribute: str = "",
    dataset_id: str | None = None,
    value: Any = None,
    instance: str = "",
) -> dict[str, Any] | None:
    """Writes the subject, `local` what of it is written here; the body of a 207 answer, None where all was done.

    The entity is that of the path, unless `entity_id` names it; see `Write` for the rest.
    """
    if request.distributed:
        entity_id = entity_id or request.ids[0]
        what = Write(operation, entity_id, types, attribute, dataset_id, value, passed_on(request), instance)
        return (await writes_of(request).write(request.caller(context), what, subject, local)).partial
    result = await local(subject)
    return result.body() if result is not None and result.not_updated else None


def writes_of(request: Request) -> Writes:
    """What divides writes among this broker and its sources."""
    services = request.services
    return Writes(services.store, services.registry, services.remotes, services.history)


def passed_on(request: Request) -> list[tuple[str, str]]:
    """The parameters that say how something is written, for a source that writes it."""
    return [pair for pair in request.query_pairs() if pair[0] not in _OF_THIS_REQUEST]


def of_attribute(name: str, instances: list[Instance]) -> Fragment:
    """A fragment with one attribute."""
    return Fragment(None, [], {name: instances})
