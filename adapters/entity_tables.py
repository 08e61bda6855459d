"""Tables for lookup() whose rows are entities of the broker: what an installation keeps there, it need not keep in a
CSV as well.

    tables:
      gardens: {type: Garden, key: alternateName, attributes: [name, location], refresh: 300}

    lookup('gardens', zone).id        # of the garden whose alternateName is the record's zone

Rows have `id`, `type` and attributes in their simplified form. They are fetched before the first record is mapped and
every `refresh` seconds; the last ones are kept on disk, for starts while the broker is away.
"""

import asyncio
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiohttp
import orjson

from adapters.backoff import Backoff
from adapters.definition import Definition, Table
from adapters.mapping import Mapper

_log = logging.getLogger("beffroi.adapter.tables")

_PAGE = 500

Rows = dict[str, dict[str, Any]]
"""Entities in their simplified form, by the key."""


class EntityTables:
    """The tables of a definition that are of the broker."""

    def __init__(self, definition: Definition, mapper: Mapper, state: Path) -> None:
        self._broker = definition.broker
        self._mapper = mapper
        self._state = state
        self._tables = {name: table for name, table in definition.lookup_tables().items() if table.type}
        self._missing = set(self._tables)
        self._there = asyncio.Event()
        if not self._tables:
            self._there.set()
        for name in self._tables:
            kept = _kept(self._path(name))
            if kept is not None:
                self._use(name, kept)

    async def ready(self) -> None:
        """Returns when there are rows to look up, if only those of the last time."""
        await self._there.wait()

    async def run(self) -> None:
        """Fetches each table, again and again until it is cancelled."""
        if not self._tables:
            return
        seconds = min(table.refresh for table in self._tables.values())
        backoff = Backoff(0.5, 30.0)
        while True:
            await self._fetch()
            await asyncio.sleep(seconds if self._there.is_set() else backoff.next())

    async def _fetch(self) -> None:
        timeout = aiohttp.ClientTimeout(total=self._broker.timeout)
        async with aiohttp.ClientSession(timeout=timeout, headers=self._broker.request_headers()) as session:
            for name, table in self._tables.items():
                try:
                    rows = await self._rows(session, name, table)
                except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
                    _log.warning("the table %s cannot be fetched: %s", name, error or "no answer in time")
                    continue
                self._use(name, rows)
                await asyncio.to_thread(_keep, self._path(name), rows)

    async def _rows(self, session: aiohttp.ClientSession, name: str, table: Table) -> Rows:
        asked = {"type": table.type, "options": "keyValues", "limit": str(_PAGE)}
        if table.attributes:
            named = [each for each in (table.key, *table.attributes) if each != "id"]
            asked["attrs"] = ",".join(dict.fromkeys(named))
        if table.q:
            asked["q"] = table.q
        rows: Rows = {}
        seen = 0
        while seen < table.most:
            page = await self._page(session, {**asked, "offset": str(seen)})
            for entity in page:
                key = entity.get(table.key)
                for each in key if isinstance(key, list) else [key]:
                    if isinstance(each, (str, int, float)):
                        rows[str(each)] = entity
            seen += len(page)
            if len(page) < _PAGE:
                return rows
        _log.error(
            "the table %s has more than %d entities; the others are not found (tables.%s.most)", name, seen, name
        )
        return rows

    async def _page(self, session: aiohttp.ClientSession, asked: Mapping[str, str]) -> list[dict[str, Any]]:
        url = f"{self._broker.url.rstrip('/')}/ngsi-ld/v1/entities"
        async with session.get(url, params=asked) as answer:
            if answer.status == 404:  # a tenant that nothing was written to yet
                return []
            if answer.status != 200:
                raise ValueError(f"{url} answered {answer.status}: {(await answer.text())[:300]}")
            content = await answer.json(content_type=None)
        if not isinstance(content, list):
            raise ValueError(f"{url} did not answer with a list of entities")
        return [entity for entity in content if isinstance(entity, dict)]

    def _use(self, name: str, rows: Rows) -> None:
        self._mapper.functions.tables[name] = rows
        self._missing.discard(name)
        if not self._missing:
            self._there.set()

    def _path(self, name: str) -> Path:
        return self._state / f"table-{name}.json"


def _kept(path: Path) -> Rows | None:
    try:
        rows = orjson.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return rows if isinstance(rows, dict) else None


def _keep(path: Path, rows: Rows) -> None:
    draft = path.with_suffix(".new")
    draft.write_bytes(orjson.dumps(rows))
    draft.replace(path)
