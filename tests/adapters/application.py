"""An application that commands: it writes an attribute at the broker and reads what became of it."""

import asyncio
import json
from urllib.parse import quote

import aiohttp

from tests.adapters.reader import Reader


class Application(Reader):
    """An application of a command post."""

    async def create(self, entity):
        """Creates an entity."""
        async with (
            aiohttp.ClientSession(headers=self._headers) as session,
            session.post(f"{self._url}/ngsi-ld/v1/entities", json=entity) as answer,
        ):
            assert answer.status == 201, await answer.text()

    async def write(self, entity, **values):
        """Writes properties of an entity."""
        attributes = {name: {"type": "Property", "value": value} for name, value in values.items()}
        async with (
            aiohttp.ClientSession(headers=self._headers) as session,
            session.patch(f"{self._url}/ngsi-ld/v1/entities/{quote(entity)}", json=attributes) as answer,
        ):
            assert answer.status == 204, await answer.text()

    async def subscription(self, method, body=None):
        """Deletes or changes the subscription of the adapter `test`, or reads it."""
        url = f"{self._url}/ngsi-ld/v1/subscriptions/urn:ngsi-ld:Subscription:beffroi-adapter-test"
        async with (
            aiohttp.ClientSession(headers=self._headers) as session,
            session.request(method, url, json=body) as answer,
        ):
            return await answer.json() if answer.status == 200 else answer.status

    async def subscribed(self, holds=lambda shown: True):
        """The adapter's subscription, once it is there and as it should be."""
        for _ in range(100):
            shown = await self.subscription("GET")
            if isinstance(shown, dict) and holds(shown):
                return shown
            await asyncio.sleep(0.1)
        raise AssertionError(f"the subscription is {shown}")

    async def command(self, entity, name, value, **options):
        """Writes the command; sub-properties by their names, an observedAt as it is."""
        attribute = {"type": "Property", "value": value}
        for option, said in options.items():
            attribute[option] = said if option == "observedAt" else {"type": "Property", "value": said}
        async with aiohttp.ClientSession(headers=self._headers) as session:
            url = f"{self._url}/ngsi-ld/v1/entities/{quote(entity)}"
            async with session.patch(url, json={name: attribute}) as answer:
                assert answer.status == 204, await answer.text()

    async def becomes(self, entity, name, state, seconds=15):
        """The entity, once the command's status is the state."""
        found = None
        async with aiohttp.ClientSession(headers=self._headers) as session:
            for _ in range(int(seconds * 10)):
                async with session.get(f"{self._url}/ngsi-ld/v1/entities/{quote(entity)}") as answer:
                    found = json.loads(await answer.text())
                if found.get(f"{name}_status", {}).get("value") == state:
                    return found
                await asyncio.sleep(0.1)
        raise AssertionError(f"{name} of the broker's {found} does not become {state}")

    async def ends(self, entity, name, seconds=30):
        """The command's status, once it will not change by itself."""
        found = None
        for _ in range(int(seconds * 5)):
            found = (await self.exists(entity)).get(f"{name}_status", {})
            if found.get("value") in ("OK", "ERROR", "EXPIRED", "UNKNOWN"):
                return found
            await asyncio.sleep(0.2)
        raise AssertionError(f"{name} of {entity} stays {found}")

    async def exists(self, entity, seconds=15):
        """Waits until the broker has the entity."""
        async with aiohttp.ClientSession(headers=self._headers) as session:
            for _ in range(int(seconds * 10)):
                async with session.get(f"{self._url}/ngsi-ld/v1/entities/{quote(entity)}") as answer:
                    if answer.status == 200:
                        return await answer.json()
                await asyncio.sleep(0.1)
        raise AssertionError(f"the broker has no {entity}")
