"""An application that reads the broker."""

import asyncio
import json

import aiohttp


class Reader:
    """An application that reads the broker by its short names."""

    def __init__(self, url, tenant):
        self._url = url
        self._headers = {
            "NGSILD-Tenant": tenant,
            "Link": f'<{url}/contexts/territory.jsonld>; rel="http://www.w3.org/ns/json-ld#context"; '
            'type="application/ld+json"',
        }

    async def entities(self, entity_type, count, holds=lambda entities: True):
        """The entities of a type, by id, once there are so many and they are as they should."""
        found = None
        async with aiohttp.ClientSession(headers=self._headers) as session:
            for _ in range(150):
                parameters = {"type": entity_type, "limit": "100"}
                async with session.get(f"{self._url}/ngsi-ld/v1/entities", params=parameters) as answer:
                    found = json.loads(await answer.text())
                    if answer.status == 200 and len(found) >= count:
                        entities = {entity["id"]: entity for entity in found}
                        if holds(entities):
                            return entities
                await asyncio.sleep(0.1)
        raise AssertionError(f"the broker has {found}")
