"""The indexes behind the queries: those every tenant has, and those made for the attributes that are used.

A new GeoProperty gets its 2dsphere index in the background, on first sight, and an attribute that is often compared
in `q` one of its values; a write never waits for an index nor fails for one.
"""

import asyncio
import logging
import re
from collections import Counter
from collections.abc import Iterable
from typing import Any

from pymongo import ASCENDING, GEOSPHERE, IndexModel
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import OperationFailure, PyMongoError

from broker.store.names import key

logger = logging.getLogger(__name__)

Collection = AsyncCollection[dict[str, Any]]

NOT_INDEXABLE = 16755
"""MongoDB's code for a geometry that S2 refuses."""

_MAX_REPAIRS = 10_000
_MOST_COUNTED = 10_000
_CREATION_ORDER = [("createdAt", ASCENDING), ("_id", ASCENDING)]
_BASE = [
    IndexModel(_CREATION_ORDER, name="creation"),
    IndexModel([("types", ASCENDING), *_CREATION_ORDER], name="types"),
    IndexModel([("scope", ASCENDING), *_CREATION_ORDER], name="scope"),
    IndexModel([("expiry", ASCENDING)], name="expiry", expireAfterSeconds=0, sparse=True),
]

_BASE_PATHS = {"_id", "createdAt", "types", "scope", "expiry"}


def geo_path(attribute: str) -> str:
    """Where the geometries of a GeoProperty are indexed: `places.KEY.geo`."""
    return f"places.{key(attribute)}.geo"


def value_path(attribute: str) -> str:
    """Where the values of an attribute are indexed: `attrs.KEY.value`."""
    return f"attrs.{key(attribute)}.value"


class Indexes:
    """Which indexes each collection has, as far as this process knows, and the making of more.

    `limit` bounds the number per collection: MongoDB allows 64, and every one makes writes slower. `demand` is the
    number of queries after which an attribute gets an index of its values; 0 for never.
    """

    def __init__(self, *, limit: int = 40, demand: int = 50) -> None:
        self._limit = limit
        self._demand = demand
        self._paths: dict[str, set[str]] = {}
        self._full: set[str] = set()
        self._uses: Counter[tuple[str, str]] = Counter()
        self._tasks: set[asyncio.Task[bool | None]] = set()

    def known(self, entities: Collection) -> frozenset[str]:
        """The paths that begin an index of the collection."""
        return frozenset(self._paths.get(entities.full_name, ()))

    async def make_base(self, entities: Collection) -> None:
        """Make those that every tenant has. Quick on a new collection; on an old one only what is missing."""
        await entities.create_indexes(_BASE)
        self._paths.setdefault(entities.full_name, set()).update(_BASE_PATHS)

    async def learn(self, entities: Collection) -> None:
        """See which indexes a collection has that another process, or an earlier version, made."""
        indexes = await entities.index_information()
        self._paths[entities.full_name] = {str(index["key"][0][0]) for index in indexes.values()}
        if any(model.document["name"] not in indexes for model in _BASE):
            self._in_background(self._make(entities, _BASE))

    def forget(self, entities: Collection) -> None:
        """The collection was dropped."""
        self._paths.pop(entities.full_name, None)
        self._full.discard(entities.full_name)

    def note_geo(self, entities: Collection, attributes: Iterable[str]) -> None:
        """GeoProperties have been written: make the indexes they lack, in the background."""
        known = self._paths.setdefault(entities.full_name, set())
        for attribute in attributes:
            if geo_path(attribute) not in known and not self._is_full(entities):
                self._in_background(self.make_geo(entities, attribute))

    def note_compared(self, entities: Collection, attributes: Iterable[str]) -> None:
        """A query compares the values of these attributes: make the indexes that are wanted often enough."""
        known = self._paths.setdefault(entities.full_name, set())
        for attribute in attributes:
            if value_path(attribute) not in known and not self._is_full(entities):
                use = (entities.full_name, attribute)
                self._uses[use] += 1
                if self._uses[use] == self._demand:
                    self._in_background(self.make_value(entities, attribute))
                elif len(self._uses) > _MOST_COUNTED:  # names come from clients
                    self._uses.clear()

    async def make_geo(self, entities: Collection, attribute: str) -> bool:
        """Make the 2dsphere index of a GeoProperty; whether it is there in the end."""
        return await self._make_one(entities, geo_path(attribute), GEOSPHERE, attribute)

    async def make_value(self, entities: Collection, attribute: str) -> bool:
        """Make the index of an attribute's values, for comparisons in `q`; whether it is there in the end."""
        return await self._make_one(entities, value_path(attribute), ASCENDING, attribute)

    async def settled(self) -> None:
        """Wait for the indexes that are being made."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    def _in_background(self, making: Any) -> None:
        task = asyncio.get_running_loop().create_task(making)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _make_one(self, entities: Collection, path: str, kind: str | int, attribute: str) -> bool:
        known = self._paths.setdefault(entities.full_name, set())
        if path not in known and self._is_full(entities):
            return False
        known.add(path)  # before it is there, and also if it cannot be made, so that it is asked for once
        made = await self._make(entities, [IndexModel([(path, kind)], name=path)], attribute)
        if made is None:
            known.discard(path)
        return made is True

    def _is_full(self, entities: Collection) -> bool:
        name = entities.full_name
        if len(self._paths[name]) < self._limit:
            return False
        if name not in self._full:
            self._full.add(name)
            logger.warning(
                "%s has %d indexes and gets no more: queries on other attributes are slow", name, self._limit
            )
        return True

    async def _make(self, entities: Collection, models: list[IndexModel], attribute: str = "") -> bool | None:
        """Whether they are there in the end; None where the database is away, and it is to be tried again."""
        for _ in range(_MAX_REPAIRS):
            try:
                await entities.create_indexes(models)
            except OperationFailure as failure:
                if failure.code == NOT_INDEXABLE and await self._set_aside(entities, attribute, str(failure)):
                    continue
                logger.warning("no index for %s in %s: %s", attribute, entities.full_name, str(failure)[:500])
                return False
            except PyMongoError as error:
                logger.warning("no index for %s in %s yet: %s", attribute, entities.full_name, error)
                return None
            return True
        return False

    async def _set_aside(self, entities: Collection, attribute: str, message: str) -> bool:
        """Take a geometry that S2 refuses out of the index's way; it was written before there was the index."""
        if (match := re.search(r'extract geo keys: \{ _id: "((?:[^"\\]|\\.)*)"', message)) is None:
            return False
        places = f"places.{key(attribute)}"
        logger.info("the geometry of %s of %s cannot be indexed", attribute, match[1])
        await entities.update_one({"_id": match[1]}, {"$unset": {places: ""}})
        return True
