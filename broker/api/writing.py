"""The way of every write of one entity: to the store where the tenant has no registrations, else divided (5.6)."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from broker.api.request import Request
from broker.federation.writes import Operation, Write, Writes
from ngsi_ld.context import Context
from ngsi_ld.entity import Entity, Instance
from ngsi_ld.expansion import Fragment
from ngsi_ld.mutations import UpdateResult
from ngsi_ld.query.type_selection import TypeSelection

Subject = TypeVar("Subject", bound=Entity | Fragment)

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
) -> dict[str, Any] | None:
    """Writes the subject, `local` what of it is written here; the body of a 207 answer, None where all was done.

    The entity is that of the path, unless `entity_id` names it; see `Write` for the rest.
    """
    if request.distributed:
        parameters = [pair for pair in request.query_pairs() if pair[0] not in _OF_THIS_REQUEST]
        what = Write(operation, entity_id or request.ids[0], types, attribute, dataset_id, value, parameters)
        services = request.services
        writes = Writes(services.store, services.registry, services.remotes)
        return await writes.write(request.caller(context), what, subject, local)
    result = await local(subject)
    return result.body() if result is not None and result.not_updated else None


def of_attribute(name: str, instances: list[Instance]) -> Fragment:
    """A fragment with one attribute."""
    return Fragment(None, [], {name: instances})
