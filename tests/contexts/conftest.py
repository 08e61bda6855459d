"""A real server of @context documents, a clock that tests may move, and contexts on a database of their own."""

import itertools
from dataclasses import dataclass, field

import pytest
from aiohttp import web
from pymongo import AsyncMongoClient

from broker.contexts import Contexts, ContextSettings

LOOPBACK = ("127.0.0.0/8", "::1/128")
_databases = itertools.count()


@dataclass
class Clock:
    """The Unix time."""

    now: float = 1_795_453_320.0

    def __call__(self):
        return self.now


@dataclass
class ContextServer:
    """Serves what `answers` has for a path, a JSON value or a handler; `asked` has the requests that came."""

    url: str = ""
    answers: dict = field(default_factory=dict)
    asked: list = field(default_factory=list)

    async def answer(self, request):
        self.asked.append(request)
        answer = self.answers.get(request.path)
        if answer is None:
            raise web.HTTPNotFound
        return await answer(request) if callable(answer) else web.json_response(answer)

    def times(self, path):
        return sum(request.path == path for request in self.asked)


@pytest.fixture
async def server():
    server = ContextServer()
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", server.answer)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    server.stop = runner.cleanup
    yield server
    await runner.cleanup()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
async def contexts(mongo_uri, clock):
    """A maker of contexts, all on one new set of databases: `await contexts(timeout=1.0)`."""
    number = next(_databases)
    async with AsyncMongoClient(mongo_uri) as client:
        made = []

        def database(tenant):
            return client[f"contexts{number}-{tenant}"]

        async def make(**settings):
            settings = {"allowed_networks": LOOPBACK, "public_url": "http://broker.example"} | settings
            new = Contexts(ContextSettings(**settings), database, clock)
            await new.start()
            made.append(new)
            return new

        yield make
        for each in made:
            await each.close()
        for name in await client.list_database_names():
            if name.startswith(f"contexts{number}-"):
                await client.drop_database(name)


@pytest.fixture
async def contexts_without_database(clock):
    """Contexts whose database does not answer."""
    async with AsyncMongoClient("mongodb://127.0.0.1:1/", serverSelectionTimeoutMS=50) as client:
        settings = ContextSettings(allowed_networks=LOOPBACK, public_url="http://broker.example", database_timeout=0.1)
        each = Contexts(settings, lambda tenant: client[f"contexts-{tenant}"], clock)
        yield each
        await each.close()


@pytest.fixture
def refused():
    """A way to say which error is expected: `with refused("BadRequestData", "lamp"): …`."""

    def expect(name, *texts):
        return _Expected(name, texts)

    return expect


class _Expected:
    def __init__(self, name, texts):
        self.name, self.texts = name, texts

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        assert kind is not None, f"no {self.name} was raised"
        if kind.__name__ != "NgsiLdError":
            return False
        assert error.type.value[0] == self.name, error.detail
        for text in self.texts:
            assert text in error.detail
        return True
