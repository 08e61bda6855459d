"""What a proxied registration must not overlap with: others, and entities of the broker itself (4.3.6.3, 5.9.2.4)."""

from collections.abc import Iterator
from dataclasses import replace

from ngsi_ld.query.query import EntitySelector, Query
from ngsi_ld.registration.matching import Wanted, any_of
from ngsi_ld.registration.registration import EntityInfo, Mode, Registration
from ngsi_ld.temporal.query import TemporalQuery

_NONE = EntityInfo()


def claimed(registration: Registration) -> Iterator[tuple[Wanted, Mode]]:
    """What the registration claims for its source alone: other ones of that mode that match are in conflict with it.

    Of two proxied ones, one being exclusive is enough; several redirect ones may overlap. Two exclusive ones are of the
    same entity if the id is the same, whatever its type. Nothing where it is not a proxied one. A source of the past
    and one of the present do not get in each other's way.
    """
    if not registration.mode.proxied:
        return
    temporal = None
    if is_temporal(registration):
        of_observation = registration.observation is not None
        temporal = TemporalQuery(timeproperty="observedAt" if of_observation else "modifiedAt")
    for information in registration.information:
        for entity in information.entities or (_NONE,):
            wanted = Wanted(
                ids=() if entity.id is None else (entity.id,),
                id_pattern=entity.id_pattern,
                types=any_of(entity.types) if entity.types else None,
                attributes=information.attributes,
                temporal=temporal,
                strict=True,
            )
            if registration.mode is Mode.EXCLUSIVE:
                yield replace(wanted, types=None), Mode.EXCLUSIVE
                yield wanted, Mode.REDIRECT
            else:
                yield wanted, Mode.EXCLUSIVE


def held(registration: Registration) -> Iterator[Query]:
    """Queries for entities that the broker must not have itself beside this registration (5.9.2.4)."""
    if not registration.mode.proxied or is_temporal(registration):
        return
    for information in registration.information:
        selectors = tuple([_selector(entity, registration.mode) for entity in information.entities])
        yield Query(selectors=selectors, attributes=information.attributes)


def _selector(entity: EntityInfo, mode: Mode) -> EntitySelector:
    if mode is Mode.EXCLUSIVE and entity.id is not None:
        return EntitySelector(ids=(entity.id,))
    return EntitySelector(
        types=any_of(entity.types) if entity.types else None,
        ids=() if entity.id is None else (entity.id,),
        id_pattern=entity.id_pattern,
    )


def is_temporal(registration: Registration) -> bool:
    """Whether the source is one of the past (5.9.1)."""
    return registration.observation is not None or registration.management_interval is not None
