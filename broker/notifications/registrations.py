"""Subscriptions to context source registrations (5.11.7): whom a change of a registration concerns, what it is told.

Registrations and subscriptions are kept as they are at the place that the change log has come to, so that a process
that takes over, or goes through the same changes again, tells the same. What is told goes the way of all notifications:
journal, outbox, endpoint.
"""

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import orjson

from broker.changelog.changes import Document, DocumentChange
from broker.federation.documents import registration_of
from broker.notifications.registry import Registered
from ngsi_ld.errors import NgsiLdError
from ngsi_ld.names import Names
from ngsi_ld.registration.index import RegistrationIndex
from ngsi_ld.registration.matching import Match, Wanted
from ngsi_ld.registration.registration import Registration
from ngsi_ld.registration.rendering import render_registration
from ngsi_ld.registration.subscribing import TriggerReason, sought, told
from ngsi_ld.subscription import Status

logger = logging.getLogger(__name__)

_LARGEST = 4_000_000
"""Bytes of registrations in one notification of all that match; more go in several."""

Key = tuple[str, str]
"""Tenant and id."""

NamesOf = Callable[[Registered], Names]


@dataclass(frozen=True, slots=True)
class Notice:
    """Something to tell one subscriber: `about` names it among what it is told, `data` are elements of an array."""

    one: Registered
    reason: TriggerReason
    about: str
    data: bytes


class RegistrationNotices:
    """The subscribers to registrations of all tenants."""

    def __init__(self) -> None:
        self._subscribers: dict[str, dict[str, tuple[Registered, list[Wanted]]]] = {}
        self._registrations: dict[str, RegistrationIndex] = {}
        self._times: dict[Key, Document] = {}

    def __iter__(self) -> Iterator[Registered]:
        return iter([one for each in self._subscribers.values() for one, _ in each.values()])

    def begin(self, registrations: Mapping[Key, Document]) -> None:
        """Begins at a position of the log, with the registrations of then and no subscriptions."""
        self._subscribers.clear()
        self._registrations.clear()
        self._times.clear()
        for (tenant, _), document in registrations.items():
            self._put(tenant, document)

    def get(self, tenant: str, subscription_id: str) -> Registered | None:
        """The subscription with an id, None if there is none."""
        found = self._subscribers.get(tenant, {}).get(subscription_id)
        return None if found is None else found[0]

    def subscribe(self, one: Registered) -> None:
        """Adds a subscription, in the place of that with the same id."""
        self._subscribers.setdefault(one.tenant, {})[one.subscription.id] = (one, sought(one.subscription))

    def unsubscribe(self, tenant: str, subscription_id: str) -> None:
        """Takes a subscription out."""
        self._subscribers.get(tenant, {}).pop(subscription_id, None)

    def drop(self, tenant: str) -> None:
        """All registrations of a tenant are gone."""
        self._registrations.pop(tenant, None)
        self._times = {key: times for key, times in self._times.items() if key[0] != tenant}

    def of_change(self, change: DocumentChange, now: str, names: NamesOf) -> list[Notice]:
        """What a change of a registration is told as, and to whom; from here on it counts as made."""
        before = None if change.before is None else _read(change.before)
        written = change.after or change.before or {}
        after = None
        if change.after is not None:
            after = self._put(change.tenant, change.after)
        elif change.tenant in self._registrations:
            self._registrations[change.tenant].remove(change.id)
            self._times.pop((change.tenant, change.id), None)
        notices = []
        for one, wanted in self._subscribers.get(change.tenant, {}).values():
            # With a timeInterval changes are not told by themselves (5.11.7).
            if one.subscription.time_interval is None and one.subscription.status(now) is Status.ACTIVE:
                found = told(before, after, wanted)
                if found is not None:
                    reason, match = found
                    data = orjson.dumps(_rendered(one, match, names(one), written))
                    notices.append(Notice(one, reason, f"{reason.value} {change.id}", data))
        return notices

    def of_all(self, one: Registered, now: str, names: NamesOf) -> Iterator[Notice]:
        """All that match now, in one notice, or in several where they are large; none where nothing matches."""
        if one.subscription.status(now) is not Status.ACTIVE:
            return
        index = self._registrations.get(one.tenant, RegistrationIndex())
        together: list[bytes] = []
        size = count = 0
        context = names(one)
        for match in index.find_any(sought(one.subscription), now):
            times = self._times.get((one.tenant, match.registration.id), {})
            together.append(orjson.dumps(_rendered(one, match, context, times)))
            size += len(together[-1])
            if size > _LARGEST:
                yield Notice(one, TriggerReason.NEWLY_MATCHING, f"all {count}", b",".join(together))
                together, size, count = [], 0, count + 1
        if together:
            yield Notice(one, TriggerReason.NEWLY_MATCHING, f"all {count}", b",".join(together))

    def _put(self, tenant: str, document: Document) -> Registration | None:
        registration = _read(document)
        if registration is not None:
            self._registrations.setdefault(tenant, RegistrationIndex()).put(registration, document["createdAt"])
            self._times[tenant, registration.id] = {name: document[name] for name in ("createdAt", "modifiedAt")}
        return registration


def _read(document: Document) -> Registration | None:
    try:
        return registration_of(document)
    except (NgsiLdError, KeyError, TypeError, ValueError):
        logger.exception("the registration %s cannot be read and is not notified", document["_id"])
        return None


def _rendered(one: Registered, match: Match, names: Names, times: Document) -> Document:
    system: Document | None = None
    if one.subscription.view.sys_attrs:
        system = {name: times[name] for name in ("createdAt", "modifiedAt") if name in times}
    return render_registration(match.registration, names, positions=match.positions, system=system)
