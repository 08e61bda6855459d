"""Which tenant and which snapshot a database of a snapshot belongs to: what notifications and @contexts need to know.

It never changes for a token, so it is read once and remembered.
"""

from dataclasses import dataclass

from broker.snapshots.records import Records
from broker.store.tenants import is_snapshot


@dataclass(frozen=True, slots=True)
class Place:
    """Whose data it is: of a tenant, or of one of its snapshots."""

    tenant: str
    snapshot: str | None = None


class Directory:
    """What is known of the snapshots that this process has had to do with."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._places: dict[str, Place] = {}

    def note(self, space: str, place: Place) -> None:
        """The snapshot `space`, such as `@5f…`, is this one."""
        self._places[space] = place

    async def learn(self, space: str) -> None:
        """Sees to it that `place` knows a tenant or snapshot."""
        if is_snapshot(space) and space not in self._places:
            document = await self._records.with_token(space[1:])
            if document is not None:
                self._places[space] = Place(document["t"], document["s"])

    def place(self, space: str) -> Place:
        """Whose data it is; a tenant stands for itself, and so does a snapshot that is gone."""
        return self._places.get(space) or Place(space)

    def known(self) -> list[str]:
        """The snapshots that are known."""
        return list(self._places)

    def forget(self, space: str) -> None:
        """The snapshot is gone."""
        self._places.pop(space, None)
