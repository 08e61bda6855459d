"""Late data never overwrites fresher state, and data that came twice is sent once.

NGSI-LD has no conditional write, so the adapter remembers, for each attribute of each entity, the observedAt and a
hash of what the broker was last given (the table `sent` of the queue's file) and leaves out of what it sends:

- what is older than what was sent: late; it goes to the history of the entity (adapters/history.py);
- what has the same observedAt and the same content: a duplicate (an MQTT message redelivered, a feed polled again);
- of attributes declared `static`, what has not changed, unless the last time is a day ago: an entity that somebody
  deleted gets its name and position back within that day.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from adapters.queue import Sent


@dataclass(frozen=True, slots=True)
class Fresh:
    """An entity without what is late or known; `entity` is None where nothing is left. `past`: the entity with what is
    late and nothing else, None where nothing is. `sent` is what to remember once the broker has it."""

    entity: dict[str, Any] | None
    past: dict[str, Any] | None
    sent: Sent
    late: int
    duplicates: int


def fresh(
    entity: dict[str, Any],
    known: Sent,
    static: frozenset[tuple[str, str]],
    now: float,
    refresh: float,
) -> Fresh:
    """What of `entity` (normalized) is news to a broker that has `known`.

    `static`: the (type, attribute) pairs sent on change only, or after `refresh` seconds; `now`: seconds since 1970.
    """
    kept: dict[str, Any] = {}
    past: dict[str, Any] = {}
    sent = dict(known)
    late = duplicates = 0
    entity_type = entity["type"]
    for name, attribute in entity.items():
        if name in ("id", "type", "scope"):
            kept[name] = attribute
            continue
        observed_at = attribute.get("observedAt", "")
        changes_only = (entity_type, name) in static
        digest = _digest({key: value for key, value in attribute.items() if key != "observedAt"})
        before = known.get(name)
        if before is not None:
            same = before[1] == digest
            if observed_at and observed_at[:-1] < before[0][:-1]:
                if changes_only and same:
                    duplicates += 1
                else:
                    late += 1
                    past[name] = attribute
                continue
            if same and (
                (changes_only and now - before[2] < refresh) or (not changes_only and observed_at == before[0])
            ):
                duplicates += 1
                continue
        kept[name] = attribute
        sent[name] = [observed_at, digest, now]
    some = any(name not in ("id", "type", "scope") for name in kept)
    if past:
        past = {name: entity[name] for name in ("id", "type") if name in entity} | past
    return Fresh(kept if some else None, past or None, sent, late, duplicates)


def _digest(attribute: Mapping[str, Any]) -> str:
    return hashlib.blake2b(orjson.dumps(attribute, option=orjson.OPT_SORT_KEYS), digest_size=8).hexdigest()
