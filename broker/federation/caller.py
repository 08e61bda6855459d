"""For whom sources are asked: what of a request decides which are, and what of them the answer has to tell."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ngsi_ld.context import Context


@dataclass(slots=True)
class Caller:
    """The request that an operation serves; `request.caller(context)` makes it.

    `context`: the @context that names are written with in what is forwarded, unless a registration says another.
    `headers`: of the request, by lower-case name, for those that registrations have passed on.
    `alias`: what this broker is called as the source of the tenant (5.15.1).
    `via`: the aliases of the brokers that the request has come through (6.3.18).
    `local`: whether only what this broker has counts (`local=true`, or a snapshot).
    `split`: whether an entity may be in parts at several sources (splitEntities).
    `attributes`: IRIs of those that the answer shows; None for all. Sources need not send others.
    `dataset_ids`: those that the request names; a source registered for others only is not asked (5.12).
    `maps`: the EntityMaps that sources made for this request or an earlier one, by registration id (5.5.14).
    `warnings`: what sources did not do, by the time the operation is over: the values of NGSILD-Warning (6.3.17).
    """

    tenant: str
    context: Context
    now: str
    headers: Mapping[bytes, bytes] = field(default_factory=dict)
    alias: str = ""
    via: tuple[str, ...] = ()
    local: bool = False
    split: bool = False
    attributes: frozenset[str] | None = None
    dataset_ids: frozenset[str] = frozenset()
    maps: dict[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    @property
    def looped(self) -> bool:
        """Whether the request has come through this broker before: whoever is registered here was asked then."""
        return self.alias in self.via
