"""Reading over this broker and the context sources that are registered with it, as if they were one (5.7.1, 5.7.2).

A `Territory` has the methods with which a store is read. It asks the sources that an operation concerns at the same
time as the local store, and merges what they have. Where the tenant has no registration the store itself is used, so
that nobody pays for what is not there.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace

from broker.federation import asking, discovery
from broker.federation.by_id import retrieved, with_ids
from broker.federation.caller import Caller
from broker.federation.consulting import NO_RESPONSE, Consultation
from broker.federation.counting import summed
from broker.federation.maps import HERE, mapping_streams
from broker.federation.planning import Chosen, Plan, plan_of
from broker.federation.registry import Registry
from broker.federation.remote import Remotes
from broker.federation.streams import (
    LARGEST_PAGE,
    Group,
    LocalStream,
    OutOfOrder,
    SourceStream,
    Stream,
    groups,
    note_unordered,
)
from broker.store.catalogue import AttributeUse
from broker.store.store import Position, Store
from ngsi_ld.entity import Entity
from ngsi_ld.errors import ErrorType, NgsiLdError, bad_request_data
from ngsi_ld.merging import merged
from ngsi_ld.query.matching import matches, unresolved
from ngsi_ld.query.ordering import BY_ID
from ngsi_ld.query.query import EntitySelector, Query
from ngsi_ld.registration.matching import Match, Wanted, any_of
from ngsi_ld.registration.registration import Mode


class Territory:
    """The entities of a tenant wherever they are, for one request."""

    def __init__(self, store: Store, registry: Registry, remotes: Remotes, caller: Caller, *, most: int) -> None:
        self._store, self._registry, self._caller = store, registry, caller
        self._consultation = Consultation(remotes, caller)
        self._most = most
        self._known: tuple[Query, list[Match]] | None = None
        self.only: frozenset[str] | None = None
        """The registrations that may be asked, by id; None for all that match. An EntityMap says which (5.7.1.4)."""
        self.sources: list[str] = []
        """After `get`: the ids of the registrations whose sources had the entity, and @none for this broker."""

    @property
    def maps(self) -> dict[str, str]:
        """The EntityMaps of the sources, see `Caller`."""
        return self._caller.maps

    # One entity, and many by their ids ------------------------------------------------------------------------------

    async def get(self, tenant: str, entity_id: str) -> Entity | None:
        """The entity as all sources together have it (5.7.1.4)."""
        found = self._concerned(
            Wanted((entity_id,), attributes=self._wanted_attributes(), dataset_ids=self._datasets())
        )
        asked = [match for match in found if match.supports(asking.RETRIEVE) or asking.is_queried(match)]
        if not asked:
            entity = await self._store.get(tenant, entity_id)
            self.sources = [] if entity is None else [HERE]
            return entity
        # Sources first: they are at work while this one asks the database.
        several = [retrieved(self._consultation, match, entity_id, self._wanted_attributes()) for match in asked]
        *remote, local = await asyncio.gather(*several, self._store.get(tenant, entity_id))
        had = [match.registration.id for match, one in zip(asked, remote, strict=True) if one is not None]
        self.sources = had if local is None else [HERE, *had]
        return self._merged(local, list(zip(asked, remote, strict=True)))

    async def get_many(self, tenant: str, entity_ids: Sequence[str]) -> Mapping[str, Entity]:
        """Those of the entities that there are, by id."""
        ids = tuple(entity_ids)
        found = self._concerned(Wanted(ids)) if ids else []
        asked = [match for match in found if match.supports(asking.RETRIEVE) or asking.is_queried(match)]
        if not asked:
            return await self._store.get_many(tenant, ids)
        several = asyncio.gather(*[with_ids(self._consultation, match, ids, self._most) for match in asked])
        local, answers = await asyncio.gather(self._store.get_many(tenant, ids), several)
        together: dict[str, list[tuple[Match, Entity | None]]] = {}
        for match, entities in zip(asked, answers, strict=True):
            for one in entities:
                together.setdefault(one.id, []).append((match, one))
        result = dict(local)
        for entity_id, versions in together.items():
            entity = self._merged(local.get(entity_id), versions)
            if entity is not None:
                result[entity_id] = entity
        return result

    def _merged(self, local: Entity | None, remote: Sequence[tuple[Match, Entity | None]]) -> Entity | None:
        equals = [one for match, one in remote if one is not None and match.registration.mode is not Mode.AUXILIARY]
        auxiliary = [one for match, one in remote if one is not None and match.registration.mode is Mode.AUXILIARY]
        if local is not None:
            equals.insert(0, local)
        return merged(equals, auxiliary, self._caller.now)

    # Queries --------------------------------------------------------------------------------------------------------

    def reaches(self, query: Query) -> bool:
        """Whether a query concerns any source, so that its answer is in the order of ids."""
        return bool(self.concerned(query))

    def concerned(self, query: Query) -> list[Match]:
        """The registrations whose sources take part in a query."""
        if self._known is not None and self._known[0] is query:
            return self._known[1]
        selectors = () if query.local else query.selectors or (EntitySelector(),)
        found: dict[str, Match] = {}
        for selector in selectors:
            wanted = Wanted(
                selector.ids,
                selector.id_pattern,
                selector.types,
                query.attributes,
                self._datasets(),
                csf=query.csf,
                geo=query.geo,
                scope_q=query.scope_q,
            )
            for match in self._concerned(wanted):
                known = found.get(match.registration.id)
                if known is None:
                    found[match.registration.id] = match
                else:
                    united = tuple(dict.fromkeys([*known.information, *match.information]))
                    found[match.registration.id] = replace(known, information=united)
        self._known = query, [match for match in found.values() if asking.is_queried(match)]
        return self._known[1]

    async def find(
        self,
        tenant: str,
        query: Query,
        *,
        now: str,
        limit: int,
        offset: int = 0,
        after: Position | None = None,
        bare: bool = False,
        chosen: Sequence[Chosen] | None = None,
    ) -> list[Entity]:
        """A page of what matches at all sources together, in the order of ids.

        `after` counts by its id. `bare` makes no difference here. `chosen` are the sources, instead of those whose
        registrations match.
        """
        self._check_order(query)
        while True:
            try:
                return await self._page(self._plan(query, chosen), tenant, limit, offset, after)
            except OutOfOrder as found:
                note_unordered(found)

    async def count(self, tenant: str, query: Query, *, now: str, chosen: Sequence[Chosen] | None = None) -> int:
        """How many entities match at all sources together, each counted once."""
        while True:
            try:
                plan = self._plan(query, chosen)
                if plan.test is not None:
                    return len([one async for one in self._entities(plan, tenant, LARGEST_PAGE)])
                if chosen is None:
                    number = await summed(self._consultation, plan, self._store, tenant, now)
                    if number is not None:
                        return number
                streams = self._streams(plan, tenant)
                return len([1 async for _ in groups(streams, LARGEST_PAGE, ids_only=True)])
            except OutOfOrder as found:
                note_unordered(found)

    async def all(self, tenant: str, query: Query) -> AsyncIterator[Entity]:
        """All that match at all sources together, in the order of ids; after a mishap some come again."""
        while True:
            try:
                async for entity in self._entities(self._plan(query, None), tenant, LARGEST_PAGE):
                    yield entity
            except OutOfOrder as found:
                note_unordered(found)
            else:
                return

    async def candidates(self, tenant: str, query: Query, *, most: int) -> dict[str, list[str]]:
        """The ids of what may match, in order, each with the sources that have it, as `sources` names them (5.14.4).

        Sources that make EntityMaps of their own make one, which the caller then knows. TooManyResults beyond `most`.
        """
        while True:
            plan = self._plan(query, None)
            local = LocalStream(self._store, tenant, plan.local, self._caller.now)
            streams = mapping_streams(self._consultation, plan.streams, plan.remote, self._most)
            named = {id(local): HERE} | {id(stream): registration_id for registration_id, stream in streams}
            found: dict[str, list[str]] = {}
            try:
                async for group in groups([local, *[one for _, one in streams]], LARGEST_PAGE, ids_only=True):
                    found[group[0][1].id] = list(dict.fromkeys([named[id(stream)] for stream, _ in group]))
                    if len(found) > most:
                        raise NgsiLdError(ErrorType.TOO_MANY_RESULTS, f"more than {most} entities: narrow the query")
            except OutOfOrder as out_of_order:
                note_unordered(out_of_order)
            else:
                return found

    async def _page(self, plan: Plan, tenant: str, limit: int, offset: int, after: Position | None) -> list[Entity]:
        streams = self._streams(plan, tenant)
        shares = self._consultation.remotes.shares
        page = (tenant, plan.local, self._caller.split, limit, offset, after)
        if plan.test is None and after is None and offset > limit:
            # What is skipped is read by ids alone.
            with shares.of((page, "skipped"), streams, min(offset, LARGEST_PAGE)):
                skipped = 0
                async for _ in groups(streams, LARGEST_PAGE, ids_only=True):
                    skipped += 1
                    if skipped == offset:
                        break
                else:
                    return []
            for stream in streams:
                stream.whole_again()
            offset = 0
        found: list[Entity] = []
        size = min(offset + limit, LARGEST_PAGE)
        with shares.of(page, streams, size):
            async for entity in self._entities(plan, tenant, size, streams):
                if after is not None and entity.id <= after.id:
                    continue
                if offset:
                    offset -= 1
                    continue
                found.append(entity)
                if len(found) == limit:
                    break
        return found

    async def _entities(
        self, plan: Plan, tenant: str, size: int, streams: Sequence[Stream] | None = None
    ) -> AsyncIterator[Entity]:
        """All that match, in the order of ids."""
        pending: list[Entity] = []
        async for group in groups(streams or self._streams(plan, tenant), size):
            entity = self._of_group(group)
            if entity is None:
                continue
            if plan.test is None:
                yield entity
                continue
            pending.append(entity)
            if len(pending) >= size or not plan.test.link_depth:
                for one in await self._passing(plan.test, tenant, pending):
                    yield one
                pending = []
        if pending and plan.test is not None:
            for one in await self._passing(plan.test, tenant, pending):
                yield one

    async def _passing(self, test: Query, tenant: str, entities: list[Entity]) -> list[Entity]:
        now = self._caller.now
        linked: dict[str, Entity | None] = {}
        if test.link_depth:
            while missing := set().union(*[unresolved(test, one, now, linked) for one in entities]):
                linked |= dict.fromkeys(missing)
                linked |= await self.get_many(tenant, sorted(missing))
        return [one for one in entities if matches(test, one, now, linked.get)]

    def _of_group(self, group: Group) -> Entity | None:
        versions: list[Entity] = []
        auxiliary: list[Entity] = []
        for stream, item in group:
            entity = stream.entity(item)
            if entity is not None:
                (auxiliary if stream.auxiliary else versions).append(entity)
        return merged(versions, auxiliary, self._caller.now)

    def _plan(self, query: Query, chosen: Sequence[Chosen] | None) -> Plan:
        found = self.concerned(query) if chosen is None else []
        return plan_of(query, found, chosen, split=self._caller.split, names=self._caller.context)

    def _streams(self, plan: Plan, tenant: str) -> list[Stream]:
        return [
            LocalStream(self._store, tenant, plan.local, self._caller.now),
            *[SourceStream(self._consultation, match, part, plan.remote, self._most) for match, part in plan.streams],
        ]

    def _check_order(self, query: Query) -> None:
        if query.ordering is not None and query.ordering.terms != BY_ID.terms:
            raise bad_request_data(
                "orderBy is for what this broker itself has, which local=true asks for: the query reaches context "
                "sources too, whose entities come in the order of their ids (5.7.2.4)"
            )

    # What there is --------------------------------------------------------------------------------------------------

    async def types(self, tenant: str, *, now: str) -> list[str]:
        """The IRIs of the types that there are anywhere, in order (5.7.5)."""
        local = self._store.types(tenant, now=now)
        return await discovery.types(self._consultation, self._concerned(Wanted()), local)

    async def attributes_by_type(self, tenant: str, *, now: str) -> dict[str, list[str]]:
        """Each type that there is anywhere with the IRIs of the attributes of its entities (5.7.6)."""
        local = self._store.attributes_by_type(tenant, now=now)
        return await discovery.attributes_by_type(self._consultation, self._concerned(Wanted()), local)

    async def type_info(self, tenant: str, name: str, *, now: str) -> tuple[int, list[AttributeUse]]:
        """How many entities have the type, and which attributes they have (5.7.7); sources may have some in common."""
        local = self._store.type_info(tenant, name, now=now)
        found = self._concerned(Wanted(types=any_of([name])))
        return await discovery.type_info(self._consultation, found, name, local)

    async def attribute_uses(
        self, tenant: str, *, now: str, of_type: str | None = None, attribute: str | None = None
    ) -> list[AttributeUse]:
        """The attributes that there are anywhere, or the one named (5.7.8 to 5.7.10); those of a type: `type_info`."""
        local = self._store.attribute_uses(tenant, now=now, of_type=of_type, attribute=attribute)
        if of_type is not None:
            return await local
        if attribute is not None:
            found = self._concerned(Wanted(attributes=frozenset([attribute])))
            return await discovery.attribute(self._consultation, found, attribute, local)
        return await discovery.attributes(self._consultation, self._concerned(Wanted()), local)

    # Registrations --------------------------------------------------------------------------------------------------

    def _concerned(self, wanted: Wanted) -> list[Match]:
        """The registrations that match; of those that would be asked in a circle there is a warning (6.3.17)."""
        caller = self._caller
        if caller.looped:
            found = self._registry.matching(caller.tenant, wanted, caller.now)
            looping, found = found, []
        else:
            found = self._registry.matching(caller.tenant, wanted, caller.now, caller.via)
            looping = self._registry.looping(caller.tenant, wanted, caller.now, caller.via)
        if self.only is not None:
            found = [match for match in found if match.registration.id in self.only]
        for match in looping:
            self._consultation.warn(match.registration, NO_RESPONSE, "a loop: the request has come through it already")
        return found

    def _wanted_attributes(self) -> frozenset[str]:
        return self._caller.attributes or frozenset()

    def _datasets(self) -> frozenset[str]:
        return self._caller.dataset_ids
