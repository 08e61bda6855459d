"""The adapter's own subscription at the broker, and looks at the broker for commands that no notification brought.

The subscription has a stable id, so that a restart renews it. A look asks for the entities that have a command; after
the first one, for those whose command was written since the last (where the broker can filter by modifiedAt).
"""

import asyncio
import contextlib
import logging
import re
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

import aiohttp
import orjson

from adapters.backoff import Backoff
from adapters.commands.audit import time_text
from adapters.commands.options import CommandsOptions
from adapters.commands.template import CommandTemplate
from adapters.definition import Broker

_log = logging.getLogger("beffroi.adapter.commands")

_PAGE = 500
_OVERLAP = 60.0
"""Seconds before the last look that are looked at again: clocks differ, and writes take their time."""


class _RefusedError(Exception):
    """The broker's answer to a request of ours is none that helps."""


class Subscriber:
    """Keeps the subscription and looks, until it is cancelled. A broker that is away is tried again."""

    def __init__(
        self,
        name: str,
        broker: Broker,
        options: CommandsOptions,
        token: str,
        templates: Iterable[CommandTemplate],
        take: Callable[[list[Any]], Awaitable[None]],
    ) -> None:
        self._broker = broker
        self._options = options
        self._token = token
        self._take = take
        self._id = f"urn:ngsi-ld:Subscription:beffroi-adapter-{name}"
        self._api = f"{broker.url.rstrip('/')}/ngsi-ld/v1"
        self._since = 0.0
        self._filters = True
        self._subscribed = False
        self._woken = asyncio.Event()
        self._asked: dict[tuple[str, str], dict[str, None]] = {}
        self._needs: dict[str, None] = {}
        for each in templates:
            self._asked.setdefault((each.type, each.prefix), {})[each.name] = None
            self._needs |= dict.fromkeys(each.needs)

    def wake(self) -> None:
        """There is something to look for."""
        self._woken.set()

    async def run(self) -> None:
        """Looks at once, then every `poll` seconds, and sees each time that the subscription is there."""
        backoff = Backoff(0.5, 60.0)
        timeout = aiohttp.ClientTimeout(total=self._broker.timeout)
        async with aiohttp.ClientSession(timeout=timeout, headers=self._broker.request_headers()) as session:
            while True:
                try:
                    if self._options.port is not None:
                        await self._subscribe(session)
                    await self._look(session)
                except (aiohttp.ClientError, TimeoutError, OSError, ValueError, _RefusedError) as error:
                    delay = backoff.next()
                    _log.warning("commands are not asked for: %s; again in %.1f s", error or "no answer in time", delay)
                    await asyncio.sleep(delay)
                    continue
                backoff.reset()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._woken.wait(), self._options.poll or 60.0)
                self._woken.clear()

    async def _subscribe(self, session: aiohttp.ClientSession) -> None:
        """Sees that the subscription is there and active; at the first time, that it says what this file says now."""
        url = f"{self._api}/subscriptions/{self._id}"
        async with session.get(url) as answer:
            status, said = answer.status, await answer.read()
        if status == 200 and self._subscribed and _active(said):
            return
        fragment = self._subscription()
        if status == 404:
            created = {"id": self._id, **fragment}
            async with session.post(f"{self._api}/subscriptions", json=created) as answer:
                status, said = answer.status, await answer.read()
        elif status == 200:
            async with session.patch(url, json=fragment) as answer:
                status, said = answer.status, await answer.read()
        if status not in (200, 201, 204, 409):
            raise _RefusedError(
                f"the subscription {self._id} was answered {status}: {said[:300].decode(errors='replace')}"
            )
        if not self._subscribed:
            _log.info("subscribed to commands as %s", self._id)
        self._subscribed = True

    def _subscription(self) -> dict[str, Any]:
        names = {name: None for names in self._asked.values() for name in names}
        shown = [*names, *(f"{name}_status" for name in names), *self._needs]
        scheme = "https" if self._options.certificate else "http"
        uri = self._options.url or f"{scheme}://{self._options.host}:{self._options.port}/"
        entities = [
            {"type": entity_type, "idPattern": _beginning_with(prefix)} if prefix else {"type": entity_type}
            for entity_type, prefix in self._asked
        ]
        return {
            "type": "Subscription",
            "description": "Commands for an adapter's equipment",
            "entities": entities,
            "watchedAttributes": list(names),
            "isActive": True,
            "notification": {
                "attributes": list(dict.fromkeys(shown)),
                "format": "normalized",
                "sysAttrs": True,
                "endpoint": {
                    "uri": uri,
                    "accept": "application/json",
                    "receiverInfo": [{"key": "Authorization", "value": f"Bearer {self._token}"}],
                },
            },
        }

    async def _look(self, session: aiohttp.ClientSession) -> None:
        began = time.time()
        since = time_text(self._since) if self._since and self._filters else None
        for (entity_type, prefix), names in self._asked.items():
            await self._pages(session, entity_type, prefix, list(names), since)
        self._since = began - _OVERLAP

    async def _pages(
        self, session: aiohttp.ClientSession, entity_type: str, prefix: str, names: list[str], since: str | None
    ) -> None:
        written = [name if since is None else f'{name}.modifiedAt>"{since}"' for name in names]
        shown = [*names, *(f"{name}_status" for name in names), *self._needs]
        asked = {
            "type": entity_type,
            "q": "|".join(written),
            "attrs": ",".join(dict.fromkeys(shown)),
            "options": "sysAttrs",
            "limit": str(_PAGE),
        }
        if prefix:
            asked["idPattern"] = _beginning_with(prefix)
        offset = 0
        while True:
            entities = await self._page(session, {**asked, "offset": str(offset)})
            if entities is None:  # it cannot filter by modifiedAt
                self._filters = False
                await self._pages(session, entity_type, prefix, names, None)
                return
            await self._take(entities)
            offset += len(entities)
            if len(entities) < _PAGE:
                return

    async def _page(self, session: aiohttp.ClientSession, asked: Mapping[str, str]) -> list[Any] | None:
        async with session.get(f"{self._api}/entities", params=asked) as answer:
            if answer.status == 404:  # a tenant that nothing was written to yet
                return []
            if answer.status == 400 and "modifiedAt" in asked["q"]:
                return None
            if answer.status != 200:
                raise _RefusedError(f"{answer.url.path} was answered {answer.status}: {(await answer.text())[:300]}")
            content = await answer.json(content_type=None)
            return content if isinstance(content, list) else []


def _beginning_with(prefix: str) -> str:
    """The idPattern of ids that begin so. Only what must be is escaped: brokers read different kinds of patterns."""
    return "^" + re.sub(r"([.+*?^$()\[\]{}|\\])", r"\\\1", prefix)


def _active(subscription: bytes) -> bool:
    """Whether a subscription, as the broker shows it, notifies."""
    try:
        shown = orjson.loads(subscription)
    except orjson.JSONDecodeError:
        return False
    return isinstance(shown, dict) and shown.get("isActive") is not False and shown.get("status") != "paused"
