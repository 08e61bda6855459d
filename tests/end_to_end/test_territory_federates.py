"""The territory's case, with five brokers, each a process and a database of its own.

The département asks the agglomération, which asks three communes; Châlons knows the agglomération too, a loop. All
neighbours are added as an operator adds them, by `beffroi federation add`.
"""

import asyncio
import contextlib
import re
import time
from dataclasses import dataclass, field

import aiohttp
import pytest
from aiohttp import web

from tests.conftest import BEFFROI, Broker

API = "/ngsi-ld/v1"
COMMUNES = ("chalons", "fagnieres", "saint-memmie")
LIGHTS = 12
PATIENCE = "1.5"
COOLDOWN = "1"


def light(commune, number, power="on"):
    """A street light of a commune."""
    return {
        "id": f"urn:ngsi-ld:Streetlight:{commune}:{number:02}",
        "type": "Streetlight",
        "powerState": {"type": "Property", "value": power},
        "commune": {"type": "Property", "value": commune},
    }


@dataclass
class Territory:
    """The brokers by name, and an HTTP session to them."""

    brokers: dict[str, Broker]
    session: aiohttp.ClientSession

    def url(self, name):
        """Of the API of a broker."""
        return f"{self.brokers[name].url}{API}"

    async def ask(self, name, path, method="GET", body=None, headers=None, **parameters):
        """Status, headers and JSON of an answer of a broker."""
        request = self.session.request(
            method, self.url(name) + path, json=body, headers=headers, params={k: str(v) for k, v in parameters.items()}
        )
        async with request as answer:
            return answer.status, answer.headers, await answer.json(content_type=None) if answer.status != 204 else None

    async def told(self, name, path, expected, method="POST", body=None, **parameters):
        """As `ask`; the status must be the expected one."""
        status, headers, answer = await self.ask(name, path, method, body, **parameters)
        assert status == expected, answer
        return headers, answer

    async def run(self, *arguments):
        """Exit code and output of a `beffroi` command."""
        process = await asyncio.create_subprocess_exec(
            str(BEFFROI), *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        output, _ = await process.communicate()
        return process.returncode, output.decode()

    async def add(self, name, neighbour, *options):
        """Has a broker know a neighbour."""
        code, output = await self.run(
            "federation", "add", self.brokers[neighbour].url, "--broker", self.brokers[name].url, *options
        )
        assert code == 0, output
        return output


@pytest.fixture(scope="module")
async def territory(tmp_path_factory):
    """Five brokers: département → agglomération → three communes, one of which knows the agglomération too."""
    names = ("departement", "agglo", *COMMUNES)
    brokers = {}
    for name in names:
        options = ("--alias", name, "--federation-timeout", PATIENCE, "--federation-cooldown", COOLDOWN)
        brokers[name] = Broker(tmp_path_factory.mktemp(name), options=options)
    async with contextlib.AsyncExitStack() as stack:
        for one in brokers.values():
            stack.push_async_callback(one.stop)
        await asyncio.gather(*(one.start() for one in brokers.values()))
        made = Territory(brokers, await stack.enter_async_context(aiohttp.ClientSession()))
        for commune in COMMUNES:
            lights = [light(commune, number) for number in range(LIGHTS)]
            await made.told(commune, "/entityOperations/create", 201, body=lights)
            await made.add("agglo", commune)
        await made.told("agglo", "/entities", 201, body=light("agglo", 1))
        await made.add("departement", "agglo")
        await made.add("chalons", "agglo")
        yield made


def warnings(headers):
    """The codes of the NGSILD-Warning headers."""
    return re.findall(r"\b(1\d\d|2\d\d) ", ",".join(headers.getall("NGSILD-Warning", [])))


async def every_page(territory, name, limit):
    """The ids of a paged query, in order, as a client gets them that follows the links."""
    ids, url = [], f"{territory.url(name)}/entities?type=Streetlight&limit={limit}"
    while url:
        async with territory.session.get(url) as answer:
            assert answer.status == 200
            page = await answer.json()
            assert len(page) <= limit
            ids += [one["id"] for one in page]
            following = [link for link in answer.headers.getall("Link", []) if 'rel="next"' in link]
        url = territory.brokers[name].url + re.search("<(.*?)>", following[0])[1] if following else None
    return ids


EVERYWHERE = len(COMMUNES) * LIGHTS + 1


@pytest.mark.parametrize("asked", ["agglo", "departement", "chalons"])
async def test_a_query_spans_the_communes(territory, asked):
    headers, found = await territory.told(
        asked, "/entities", 200, "GET", type="Streetlight", limit=100, count="true", q='powerState=="on"'
    )

    assert len({one["id"] for one in found}) == len(found) == EVERYWHERE
    assert headers["NGSILD-Results-Count"] == str(EVERYWHERE)
    assert set(warnings(headers)) <= {"199"}  # only the loop through Châlons may be told of


async def test_pages_across_communes_have_each_entity_once(territory):
    ids = await every_page(territory, "agglo", 7)

    assert len(ids) == len(set(ids)) == EVERYWHERE


async def test_one_entity_is_found_wherever_it_is(territory):
    _, found = await territory.told("departement", "/entities/urn:ngsi-ld:Streetlight:fagnieres:03", 200, "GET")
    assert found["commune"]["value"] == "fagnieres"

    status, _, _ = await territory.ask("departement", "/entities/urn:ngsi-ld:Streetlight:nowhere:1")
    assert status == 404

    status, _, _ = await territory.ask("agglo", "/entities/urn:ngsi-ld:Streetlight:fagnieres:03", local="true")
    assert status == 404


async def test_types_of_all_are_told(territory):
    _, found = await territory.told("departement", "/types", 200, "GET")

    assert found["typeList"] == ["Streetlight"]


async def test_what_is_written_through_the_agglomeration_is_kept_by_the_commune(territory):
    await territory.add(
        "agglo", "fagnieres", "--type", "Building", "--mode", "redirect", "--operation", "redirectionOps"
    )
    try:
        hall = {
            "id": "urn:ngsi-ld:Building:mairie",
            "type": "Building",
            "name": {"type": "Property", "value": "Mairie"},
        }

        await territory.told("agglo", "/entities", 201, body=hall)
        new = {"name": {"type": "Property", "value": "Mairie de Fagnières"}}
        await territory.told("agglo", f"/entities/{hall['id']}/attrs", 204, "PATCH", body=new)

        _, kept = await territory.told("fagnieres", f"/entities/{hall['id']}", 200, "GET", local="true")
        assert kept["name"]["value"] == "Mairie de Fagnières"
        status, _, _ = await territory.ask("agglo", f"/entities/{hall['id']}", local="true")
        assert status == 404

        await territory.told("agglo", f"/entities/{hall['id']}", 204, "DELETE")
        status, _, _ = await territory.ask("fagnieres", f"/entities/{hall['id']}")
        assert status == 404
    finally:
        await territory.add("agglo", "fagnieres")


@dataclass
class Subscriber:
    """An application that is notified."""

    notifications: list = field(default_factory=list)
    url: str = ""

    async def until(self, condition, seconds=10):
        """Waits for a notification of which the condition holds; it."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for one in self.notifications:
                if condition(one):
                    return one
            await asyncio.sleep(0.05)
        raise AssertionError(f"no such notification among {self.notifications}")


@pytest.fixture
async def subscriber():
    """An HTTP server that takes notifications."""
    one = Subscriber()

    async def take(request):
        one.notifications.append(await request.json())
        return web.Response(status=204)

    application = web.Application()
    application.router.add_post("/", take)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    one.url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    yield one
    await runner.cleanup()


async def test_a_subscription_at_the_agglomeration_hears_of_a_commune(territory, subscriber):
    subscription = {
        "id": "urn:ngsi-ld:Subscription:across",
        "type": "Subscription",
        "entities": [{"type": "Streetlight"}],
        "watchedAttributes": ["powerState"],
        "notification": {"endpoint": {"uri": subscriber.url}},
    }
    await territory.told("agglo", "/subscriptions", 201, body=subscription)
    try:
        await _until(lambda: _subscribed(territory, "saint-memmie"))

        changed = {"powerState": {"type": "Property", "value": "off"}}
        await territory.told(
            "saint-memmie", "/entities/urn:ngsi-ld:Streetlight:saint-memmie:05/attrs", 204, "PATCH", body=changed
        )

        told = await subscriber.until(lambda one: one["data"][0]["id"].endswith("saint-memmie:05"))
        assert told["subscriptionId"] == subscription["id"]
        assert told["data"][0]["powerState"]["value"] == "off"
    finally:
        await territory.told("agglo", f"/subscriptions/{subscription['id']}", 204, "DELETE")
        on = {"powerState": {"type": "Property", "value": "on"}}
        await territory.told(
            "saint-memmie", "/entities/urn:ngsi-ld:Streetlight:saint-memmie:05/attrs", 204, "PATCH", body=on
        )
    await _until(lambda: _unsubscribed(territory, "saint-memmie"))


async def _subscribed(territory, name):
    _, _, found = await territory.ask(name, "/subscriptions")
    return bool(found)


async def _unsubscribed(territory, name):
    return not await _subscribed(territory, name)


async def _until(condition, seconds=15):
    end = time.monotonic() + seconds
    while not await condition():
        assert time.monotonic() < end, "it did not come about"
        await asyncio.sleep(0.1)


async def test_a_neighbour_that_dies_costs_its_own_data_and_little_time(territory):
    await territory.brokers["fagnieres"].kill()
    began = time.monotonic()
    headers, found = await territory.told("agglo", "/entities", 200, "GET", type="Streetlight", limit=100)
    spent = time.monotonic() - began
    assert {one["commune"]["value"] for one in found} == {"agglo", "chalons", "saint-memmie"}
    assert "199" in warnings(headers)
    assert spent < float(PATIENCE) + 1

    code, output = await territory.run("federation", "check", "--broker", territory.brokers["agglo"].url)
    assert code == 1
    assert "cannot be reached" in output

    await territory.brokers["fagnieres"].start()

    async def whole():
        _, found = await territory.told("agglo", "/entities", 200, "GET", type="Streetlight", limit=100)
        return len(found) == EVERYWHERE

    await _until(whole)
    code, output = await territory.run("federation", "check", "--broker", territory.brokers["agglo"].url)
    assert code == 0, output


async def test_a_neighbour_that_hangs_costs_no_more_than_its_time(territory):
    territory.brokers["saint-memmie"].process.send_signal(19)  # SIGSTOP: it accepts connections and answers nothing
    try:
        began = time.monotonic()
        headers, found = await territory.told("agglo", "/entities", 200, "GET", type="Streetlight", limit=100)
        spent = time.monotonic() - began
    finally:
        territory.brokers["saint-memmie"].process.send_signal(18)

    assert {one["commune"]["value"] for one in found} == {"agglo", "chalons", "fagnieres"}
    assert "199" in warnings(headers)
    assert spent < float(PATIENCE) + 1

    async def whole():
        _, found = await territory.told("agglo", "/entities", 200, "GET", type="Streetlight", limit=100)
        return len(found) == EVERYWHERE

    await _until(whole)


async def test_the_neighbours_are_listed(territory):
    code, output = await territory.run("federation", "list", "--broker", territory.brokers["agglo"].url)

    assert code == 0, output
    for commune in COMMUNES:
        assert f"ContextSourceRegistration:{commune}" in output


async def test_the_same_alias_twice_is_refused_with_what_to_do(territory):
    code, output = await territory.run(
        "federation", "add", territory.brokers["agglo"].url, "--broker", territory.brokers["agglo"].url
    )

    assert code == 1
    assert "--alias" in output


async def test_what_is_no_broker_is_refused_with_a_sentence(territory, subscriber):
    code, output = await territory.run("federation", "add", subscriber.url, "--broker", territory.brokers["agglo"].url)

    assert code == 1
    assert "Traceback" not in output
    assert subscriber.url.rstrip("/") in output
