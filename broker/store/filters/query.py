"""An entity query as a MongoDB filter on the documents of `broker.store.documents`."""

from broker.store.filters.conditions import condition_filter, pattern
from broker.store.filters.filter import NOTHING_ASKED, Filter, Mongo, all_of, any_of
from broker.store.filters.geo import geo_filter
from broker.store.filters.lifetime import live
from broker.store.filters.scope import scope_filter
from broker.store.names import key
from ngsi_ld.query.query import EntitySelector, Query
from ngsi_ld.query.type_selection import TypeSelection


def mongo_filter(query: Query, now: str) -> Filter:
    """The filter with the answer of `ngsi_ld.query.matches` at `now`, and what it leaves in doubt (see `Filter`)."""
    alive = live(now)
    asked = [selectors_filter(query), Filter({"expiresAt": alive})]
    if query.attributes:
        asked.append(
            any_of([Filter({f"attrs.{key(name)}": {"$elemMatch": {"expiresAt": alive}}}) for name in query.attributes])
        )
    if query.scope_q is not None:
        asked.append(Filter(scope_filter(query.scope_q)))
    if query.q is not None:
        asked.append(condition_filter(query.q, alive))
    if query.geo is not None:
        asked.append(geo_filter(query.geo, alive))
    return all_of(asked)


def selectors_filter(query: Query) -> Filter:
    """By type, id and id pattern alone."""
    if not query.selectors:
        return NOTHING_ASKED
    selected = [_selector(selector) for selector in query.selectors]
    return NOTHING_ASKED if {} in selected else any_of([Filter(one) for one in selected])


def _selector(selector: EntitySelector) -> Mongo:
    asked: Mongo = {}
    if selector.types is not None:
        asked |= _types(selector.types)
    if selector.ids:
        asked["_id"] = selector.ids[0] if len(selector.ids) == 1 else {"$in": list(selector.ids)}
    if selector.id_pattern is not None:
        if selector.ids:
            asked["$and"] = [{"_id": pattern(selector.id_pattern)}]
        else:
            asked["_id"] = pattern(selector.id_pattern)
    return asked


def _types(types: TypeSelection) -> Mongo:
    alternatives = types.alternatives
    if all(len(alternative) == 1 for alternative in alternatives):
        names = [name for alternative in alternatives for name in alternative]
        return {"types": names[0] if len(names) == 1 else {"$in": names}}
    each: list[Mongo] = [{"types": {"$all": sorted(alternative)}} for alternative in alternatives]
    return each[0] if len(each) == 1 else {"$or": each}
