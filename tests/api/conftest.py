"""A small client of the API, in a tenant of its own for each module."""

from dataclasses import dataclass
from typing import Any

import aiohttp
import orjson
import pytest

CORE = "https://uri.etsi.org/ngsi-ld/v1/ngsi-ld-core-context-v1.9.jsonld"


@dataclass
class Answer:
    status: int
    headers: Any
    body: bytes

    @property
    def json(self):
        return orjson.loads(self.body)


class Client:
    """Calls `/ngsi-ld/v1` + path; a body that is not bytes is sent as JSON, or JSON-LD if it has an @context."""

    def __init__(self, session, root, tenant):
        self.session, self.root, self.tenant = session, root, tenant

    async def __call__(self, method, path, body=None, *, headers=None, **parameters):
        sent = {"NGSILD-Tenant": self.tenant} if self.tenant else {}
        data = body
        if body is not None and not isinstance(body, bytes):
            data = orjson.dumps(body)
            inner = body[0] if isinstance(body, list) and body else body
            json_ld = isinstance(inner, dict) and "@context" in inner
            sent["Content-Type"] = "application/ld+json" if json_ld else "application/json"
        sent |= headers or {}
        async with self.session.request(
            method, f"{self.root}{path}", data=data, headers=sent, params=parameters
        ) as answer:
            return Answer(answer.status, answer.headers, await answer.read())

    async def get(self, path, **rest):
        return await self("GET", path, **rest)

    async def post(self, path, body=None, **rest):
        return await self("POST", path, body, **rest)

    async def patch(self, path, body=None, **rest):
        return await self("PATCH", path, body, **rest)

    async def put(self, path, body=None, **rest):
        return await self("PUT", path, body, **rest)

    async def delete(self, path, **rest):
        return await self("DELETE", path, **rest)


@pytest.fixture(scope="session")
async def session(broker):
    async with aiohttp.ClientSession(skip_auto_headers=["Content-Type", "Accept"]) as one:
        yield one


@pytest.fixture(scope="module")
async def api(broker, session, request):
    """A client in the module's own tenant, which exists."""
    client = Client(session, f"{broker.url}/ngsi-ld/v1", request.module.__name__.rpartition(".")[2])
    await client.post("/entities", {"id": "urn:ngsi-ld:Tenant:1", "type": "Tenant"})
    await client.delete("/entities/urn:ngsi-ld:Tenant:1")
    return client
