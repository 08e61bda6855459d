"""Entities as this process last read or wrote them: what the next mutation of one is tried on, without a read.

That is a guess, and harmless where wrong: the compare-and-swap of the write fails and the entity is read. Nothing is
answered from here.
"""

from collections import OrderedDict

from ngsi_ld.entity import Entity


class Recent:
    """The most recently used, up to `max_bytes` as MongoDB counts; as Python objects they take four times that."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._entities: OrderedDict[tuple[str, str], tuple[Entity, int]] = OrderedDict()

    def get(self, tenant: str, entity_id: str) -> Entity | None:
        """The entity as it last was, if that is known."""
        found = self._entities.get((tenant, entity_id))
        return None if found is None else found[0]

    def put(self, tenant: str, entity: Entity, size: int, *, grown: bool = False) -> None:
        """It was read or written, at this size; `grown` if the size is that of a change to what was here."""
        key = (tenant, entity.id)
        old = self._entities.pop(key, None)
        if old is not None:
            self._bytes -= old[1]
            if grown:
                size += old[1]
        if size > self._max_bytes // 16:  # also when small changes have added up: then it is weighed anew
            return
        self._entities[key] = (entity, size)
        self._bytes += size
        while self._bytes > self._max_bytes:
            _, (_, dropped) = self._entities.popitem(last=False)
            self._bytes -= dropped

    def forget(self, tenant: str, entity_id: str) -> None:
        """It was deleted, or is not what it was thought to be."""
        if (old := self._entities.pop((tenant, entity_id), None)) is not None:
            self._bytes -= old[1]
