"""Sources over real HTTP: tenants of the shared broker, registered in another of its tenants, and small servers."""

import itertools

import pytest
from aiohttp import web

from tests.api.conftest import Client, session

__all__ = ["session"]

_NUMBERS = itertools.count(1)


class Source(Client):
    """A tenant of the broker that others register; it calls itself `alias`."""

    alias: str = ""


@pytest.fixture
def tenant(broker, session):
    """Makes clients, each in a new tenant that exists."""

    async def make(name):
        one = Source(session, f"{broker.url}/ngsi-ld/v1", f"{name}{next(_NUMBERS)}")
        await one.post("/entities", {"id": "urn:ngsi-ld:Tenant:1", "type": "Tenant"})
        await one.delete("/entities/urn:ngsi-ld:Tenant:1")
        one.alias = (await one.get("/info/sourceIdentity")).json["contextSourceAlias"]
        return one

    return make


@pytest.fixture
def register(broker):
    """Registers a source at a front: a tenant of the broker, or the URL of a server."""

    async def make(front, source, information=None, *, current=True, **members):
        body = {
            "id": f"urn:ngsi-ld:ContextSourceRegistration:{next(_NUMBERS)}",
            "type": "ContextSourceRegistration",
            "information": information or [{"entities": [{"type": "Vehicle"}]}],
            "endpoint": source if isinstance(source, str) else broker.url,
        }
        if not isinstance(source, str):
            body |= {"tenant": source.tenant, "contextSourceAlias": source.alias}
            if current:
                body["contextSourceInfo"] = [{"key": "ngsildConformance", "value": "1.9"}]
        answer = await front.post("/csourceRegistrations", body | members)
        assert answer.status == 201, answer.body
        return body["id"]

    return make


@pytest.fixture
async def server():
    """Starts servers that answer every request by a function; gives their URL."""
    runners = []

    async def start(answering):
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", answering)
        runner = web.AppRunner(application, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        runners.append(runner)
        return f"http://127.0.0.1:{runner.addresses[0][1]}"

    yield start
    for runner in runners:
        await runner.cleanup()


def vehicle(number, **attributes):
    """A Vehicle; attributes by their values, or as they are where they are objects."""
    return {
        "id": f"urn:ngsi-ld:Vehicle:{number}",
        "type": "Vehicle",
        **{
            name: value if isinstance(value, dict) else {"type": "Property", "value": value}
            for name, value in attributes.items()
        },
    }
