"""What a subscription to registrations is about, and what a change of a registration is to it (5.11.2.4, 5.11.7)."""

from collections.abc import Sequence
from enum import Enum

from ngsi_ld.query.query import EntitySelector
from ngsi_ld.registration.matching import Match, Wanted, matched
from ngsi_ld.registration.registration import Registration
from ngsi_ld.subscription.subscription import Subscription

_WHENEVER = ""
"""A moment before all expiries: subscribers are told that a registration goes, also where it has expired."""


class TriggerReason(Enum):
    """Why registrations are notified (5.3.3)."""

    NEWLY_MATCHING = "newlyMatching"
    UPDATED = "updated"
    NO_LONGER_MATCHING = "noLongerMatching"


def sought(subscription: Subscription) -> list[Wanted]:
    """What registrations are matched with, one for each selector of the subscription; any of them will do (5.12).

    Attributes count only where both those that are watched and those to be notified are told: where either is not,
    all are meant.
    """
    attributes = frozenset[str]()
    if subscription.watched is not None and subscription.view.attributes is not None:
        attributes = subscription.watched | frozenset(subscription.view.attributes)
    query = subscription.query
    return [
        Wanted(
            ids=one.ids,
            id_pattern=one.id_pattern,
            types=one.types,
            attributes=attributes,
            dataset_ids=frozenset(subscription.view.dataset_ids or ()),
            temporal=subscription.temporal,
            geo=query.geo,
            scope_q=query.scope_q,
            csf=subscription.csf,
            strict=True,
        )
        for one in query.selectors or (EntitySelector(),)
    ]


def matching(registration: Registration | None, wanted: Sequence[Wanted]) -> Match | None:
    """What of a registration is sought; None where nothing is, or where there is no registration."""
    found: Match | None = None
    if registration is None:
        return None
    for one in wanted:
        match = matched(registration, one, _WHENEVER)
        if match is not None:
            found = match if found is None else found.united(match)
    return found


def told(
    before: Registration | None, after: Registration | None, wanted: Sequence[Wanted]
) -> tuple[TriggerReason, Match] | None:
    """Why and of what a subscriber is told when a registration was created, updated or deleted; None: it is not."""
    was, now = matching(before, wanted), matching(after, wanted)
    if now is not None:
        return (TriggerReason.NEWLY_MATCHING if was is None else TriggerReason.UPDATED), now
    return None if was is None else (TriggerReason.NO_LONGER_MATCHING, was)
