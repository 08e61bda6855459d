"""The broker as any client sees it: HTTP, NGSI-LD, the territory's @context."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from types import TracebackType
from typing import Any

import aiohttp
import orjson

import data_models

BATCH = 250
"""Entities in one batch: large enough for the broker to save work, small enough for four to be on their way."""
CONCURRENT = 4
PAGE = 1000
_SOON = aiohttp.ClientTimeout(total=2)


class BrokerError(Exception):
    """The broker refused, or did not answer as NGSI-LD says; the text is for a person."""


class BrokerClient:
    """A client of one broker: `async with BrokerClient("http://127.0.0.1:1026") as broker`."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._link = f'<{url}{data_models.CONTEXT_PATH}>; rel="http://www.w3.org/ns/json-ld#context"'
        self._session: aiohttp.ClientSession

    async def __aenter__(self) -> "BrokerClient":
        self._session = aiohttp.ClientSession(
            base_url=self.url,
            headers={"Link": self._link + '; type="application/ld+json"', "Accept": "application/json"},
            timeout=aiohttp.ClientTimeout(total=60),
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def ready(self) -> bool:
        """Whether it answers and has its database."""
        try:
            async with self._session.get("/health/ready", timeout=_SOON) as response:
                return response.status == 200
        except (aiohttp.ClientError, TimeoutError):
            return False

    async def upsert(self, entities: Sequence[dict[str, Any]], done: Callable[[int], None]) -> None:
        """Batch upsert of any number of entities (5.6.8), several batches at a time; `done` hears of each batch."""
        batches = [entities[start : start + BATCH] for start in range(0, len(entities), BATCH)]
        places = asyncio.Semaphore(CONCURRENT)

        async def send(batch: Sequence[dict[str, Any]]) -> None:
            async with places:
                await self._request("POST", "/ngsi-ld/v1/entityOperations/upsert?options=update", batch)
            done(len(batch))

        async with asyncio.TaskGroup() as tasks:
            for batch in batches:
                tasks.create_task(send(batch))

    async def subscribe(self, subscription: dict[str, Any]) -> None:
        """Creates the subscription (5.8.1) in the place of the one with its id, if there is one."""
        path = f"/ngsi-ld/v1/subscriptions/{subscription['id']}"
        async with self._session.delete(path) as response:
            if response.status not in (204, 404):
                raise BrokerError(f"the broker did not delete {subscription['id']}: {await response.text()}")
        await self._request("POST", "/ngsi-ld/v1/subscriptions", subscription)

    async def append(self, entity_id: str, attributes: dict[str, Any]) -> None:
        """Gives an entity attributes, in the place of those it has (5.6.3)."""
        await self._request("POST", f"/ngsi-ld/v1/entities/{entity_id}/attrs", attributes)

    async def get(self, entity_id: str) -> dict[str, Any]:
        """An entity (5.7.1)."""
        found: dict[str, Any] = await self._request("GET", f"/ngsi-ld/v1/entities/{entity_id}")
        return found

    async def query(self, entity_type: str) -> AsyncIterator[dict[str, Any]]:
        """Every entity of a type (5.7.2), page after page."""
        for offset in range(0, 1_000_000, PAGE):
            page = await self._request(
                "GET", f"/ngsi-ld/v1/entities?type={entity_type}&limit={PAGE}&offset={offset}&options=normalized"
            )
            for entity in page:
                yield entity
            if len(page) < PAGE:
                return

    async def _request(self, method: str, path: str, content: Any = None) -> Any:
        body = None if content is None else orjson.dumps(content)
        headers = {} if content is None else {"Content-Type": "application/json"}
        async with self._session.request(method, path, data=body, headers=headers) as response:
            text = await response.read()
            if response.status not in (200, 201, 204):
                raise BrokerError(f"{method} {path}: {response.status} {text[:500].decode(errors='replace')}")
            return orjson.loads(text) if response.status == 200 else None
