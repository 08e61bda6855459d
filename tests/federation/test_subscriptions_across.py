"""Distributed subscriptions (5.8.1.4, 5.8.2.4, 5.8.5.4, 5.8.6): tenants of a real broker are sources of each other."""

import asyncio
import time
from uuid import uuid4

import aiohttp
import pytest

from tests.notifications.notifying import Receiver, serving

API = "/ngsi-ld/v1"


class Tenants:
    """What is asked of a broker's tenants, whose names nobody else uses."""

    def __init__(self, broker, session):
        self.broker, self.session = broker, session
        self.front, self.source = (f"{name}{uuid4().hex[:8]}" for name in ("front", "source"))

    async def ask(self, tenant, method, path, body=None):
        """Status and JSON."""
        url = f"{self.broker.url}{API}{path}"
        async with self.session.request(method, url, json=body, headers={"NGSILD-Tenant": tenant}) as answer:
            return answer.status, await answer.json(content_type=None) if answer.status != 204 else None

    async def done(self, tenant, method, path, body=None):
        """As `ask`; it must succeed."""
        status, answer = await self.ask(tenant, method, path, body)
        assert status < 300, answer
        return answer

    async def register(self, tenant, source, **members):
        """Has a tenant know another as a source of lights; the id of the registration."""
        registration = {
            "id": f"urn:ngsi-ld:ContextSourceRegistration:{uuid4()}",
            "type": "ContextSourceRegistration",
            "endpoint": self.broker.url,
            "tenant": source,
            "information": [{"entities": [{"type": "Streetlight"}]}],
            "operations": ["federationOps"],
            **members,
        }
        await self.done(tenant, "POST", "/csourceRegistrations", registration)
        return registration["id"]

    async def subscribe(self, receiver, **members):
        """A subscription of the front to lights; its id."""
        subscription = {
            "id": f"urn:ngsi-ld:Subscription:{uuid4()}",
            "type": "Subscription",
            "entities": [{"type": "Streetlight"}],
            "notification": {"format": "keyValues", "endpoint": {"uri": receiver.url}},
            **members,
        }
        await self.done(self.front, "POST", "/subscriptions", subscription)
        return subscription["id"]

    async def copies(self, tenant):
        """The subscriptions of a tenant."""
        status, found = await self.ask(tenant, "GET", "/subscriptions")
        return found if status == 200 else []

    async def until(self, condition, seconds=10):
        """Waits until a condition, a coroutine function, holds."""
        end = time.monotonic() + seconds
        while not await condition():
            assert time.monotonic() < end, "it did not come about"
            await asyncio.sleep(0.05)

    async def copied(self, number=1, tenant=None):
        """Waits until the source has so many subscriptions; them."""
        tenant = tenant or self.source

        async def there():
            return len(await self.copies(tenant)) == number

        await self.until(there)
        return await self.copies(tenant)

    async def light(self, tenant, number, power):
        """Creates a light, or changes its power."""
        light = {"id": f"urn:ngsi-ld:Streetlight:{number}", "type": "Streetlight", "powerState": power, "volts": 230}
        await self.done(tenant, "POST", "/entityOperations/upsert", [light])


@pytest.fixture
async def tenants(broker):
    async with aiohttp.ClientSession() as session:
        yield Tenants(broker, session)


@pytest.fixture
async def receiver():
    async with serving(Receiver()) as one:
        yield one


async def test_a_change_at_the_source_is_notified_under_our_id(tenants, receiver):
    await tenants.register(tenants.front, tenants.source)
    subscription = await tenants.subscribe(receiver, watchedAttributes=["powerState"], q='powerState=="off"')
    await tenants.copied()

    await tenants.light(tenants.source, 1, "on")
    await tenants.light(tenants.source, 1, "off")

    await receiver.until(1)
    assert await receiver.quiet()
    (told,) = receiver.notifications
    assert told["subscriptionId"] == subscription
    assert told["data"] == [
        {"id": "urn:ngsi-ld:Streetlight:1", "type": "Streetlight", "powerState": "off", "volts": 230}
    ]


async def test_the_copy_never_names_the_subscriber(tenants, receiver):
    await tenants.register(tenants.front, tenants.source)
    secret = [{"key": "Authorization", "value": "Bearer s3cret"}]
    endpoint = {"uri": receiver.url, "receiverInfo": secret}
    await tenants.subscribe(receiver, notification={"endpoint": endpoint})

    (copy,) = await tenants.copied()

    assert receiver.url not in str(copy)
    assert "s3cret" not in str(copy)


async def test_the_copy_is_reduced_to_what_is_registered(tenants, receiver):
    information = [{"entities": [{"type": "Streetlight", "idPattern": "^urn:ngsi-ld:Streetlight:5"}]}]
    information[0]["propertyNames"] = ["powerState"]
    await tenants.register(tenants.front, tenants.source, information=information)
    await tenants.subscribe(receiver, watchedAttributes=["powerState", "volts"])

    (copy,) = await tenants.copied()

    assert copy["entities"] == [{"type": "Streetlight", "idPattern": "^urn:ngsi-ld:Streetlight:5"}]
    assert copy["watchedAttributes"] == ["powerState"]
    assert copy["notification"]["attributes"] == ["powerState"]


async def test_copies_follow_the_subscription_and_go_with_it(tenants, receiver):
    await tenants.register(tenants.front, tenants.source)
    subscription = await tenants.subscribe(receiver)
    await tenants.copied()

    await tenants.done(tenants.front, "PATCH", f"/subscriptions/{subscription}", {"q": "volts>240"})

    async def updated():
        return (await tenants.copies(tenants.source))[0].get("q") == "volts>240"

    await tenants.until(updated)
    await tenants.done(tenants.front, "PATCH", f"/subscriptions/{subscription}", {"q": "urn:ngsi-ld:null"})

    async def without():
        return "q" not in (await tenants.copies(tenants.source))[0]

    await tenants.until(without)
    await tenants.done(tenants.front, "DELETE", f"/subscriptions/{subscription}")
    await tenants.copied(0)


async def test_copies_follow_the_registrations(tenants, receiver):
    await tenants.subscribe(receiver)
    registration = await tenants.register(tenants.front, tenants.source)
    await tenants.copied()

    await tenants.done(tenants.front, "DELETE", f"/csourceRegistrations/{registration}")

    await tenants.copied(0)


async def test_a_local_subscription_and_a_source_without_the_operation_get_no_copy(tenants, receiver):
    await tenants.register(tenants.front, tenants.source, operations=["retrieveOps"])
    await tenants.subscribe(receiver)
    await tenants.subscribe(receiver, localOnly=True)
    await asyncio.sleep(0.5)

    assert await tenants.copies(tenants.source) == []


async def test_brokers_that_know_each_other_notify_once(tenants, receiver):
    await tenants.register(tenants.front, tenants.source)
    await tenants.register(tenants.source, tenants.front)
    await tenants.subscribe(receiver, watchedAttributes=["powerState"])
    await tenants.copied()
    await asyncio.sleep(0.5)

    await tenants.light(tenants.front, 1, "on")
    await tenants.light(tenants.source, 2, "on")

    await receiver.until(2)
    assert await receiver.quiet()
    assert len(await tenants.copies(tenants.front)) == len(await tenants.copies(tenants.source)) == 1


async def test_an_entity_in_parts_is_judged_and_told_whole(tenants, receiver):
    await tenants.register(tenants.front, tenants.source)
    await tenants.subscribe(receiver, splitEntities=True, q='powerState=="off";commune=="Sarry"')
    (copy,) = await tenants.copied()
    assert "q" not in copy
    for number, commune in ((1, "Sarry"), (2, "Compertrix")):
        part = {"id": f"urn:ngsi-ld:Streetlight:{number}", "type": "Streetlight", "commune": commune}
        await tenants.done(tenants.front, "POST", "/entities", part)

    for number in (1, 2):
        await tenants.light(tenants.source, number, "off")

    await receiver.until(1)
    assert await receiver.quiet()
    (told,) = receiver.notifications
    assert told["data"] == [
        {
            "id": "urn:ngsi-ld:Streetlight:1",
            "type": "Streetlight",
            "powerState": "off",
            "volts": 230,
            "commune": "Sarry",
        }
    ]


async def test_what_a_source_tells_twice_is_notified_once(tenants, receiver):
    await tenants.register(tenants.front, tenants.source)
    await tenants.subscribe(receiver)
    (copy,) = await tenants.copied()
    told = {
        "id": "urn:ngsi-ld:Notification:1",
        "type": "Notification",
        "subscriptionId": copy["id"],
        "data": [{"id": "urn:ngsi-ld:Streetlight:9", "type": "Streetlight", "powerState": "on"}],
    }

    await tenants.done("", "POST", "/remote-notify", told)
    await tenants.done("", "POST", "/remote-notify", told)

    await receiver.until(1)
    assert await receiver.quiet()


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"subscriptionId": "urn:ngsi-ld:Subscription:nobody", "data": []}, 404),
        ({"data": []}, 400),
        ([], 400),
        ({"subscriptionId": 7, "data": []}, 400),
    ],
)
async def test_what_is_no_notification_of_a_copy_is_refused(tenants, body, status):
    answered, _ = await tenants.ask("", "POST", "/remote-notify", body)

    assert answered == status


async def test_a_source_that_was_away_gets_its_copy_when_it_is_back(tenants, receiver, tmp_path):
    from tests.conftest import Broker, free_port

    away = Broker(tmp_path, free_port())
    await tenants.register(tenants.front, tenants.source, endpoint=away.url)
    await tenants.subscribe(receiver, watchedAttributes=["powerState"])
    await asyncio.sleep(1)
    await away.start()
    there = Tenants(away, tenants.session)
    try:
        await there.copied(1, tenants.source)
        await there.light(tenants.source, 3, "on")
        await receiver.until(1)
    finally:
        await away.stop()


async def test_after_kill_9_of_the_front_what_a_source_tells_arrives(own_broker, receiver):
    async with aiohttp.ClientSession() as session:
        tenants = Tenants(own_broker, session)
        await tenants.register(tenants.front, tenants.source)
        await tenants.subscribe(receiver, watchedAttributes=["powerState"])
        await tenants.copied()

        for number in range(20):
            await tenants.light(tenants.source, number, "on")
        await own_broker.kill()
        await own_broker.start()
        await tenants.light(tenants.source, 20, "on")

        async def all_told():
            return {one["data"][0]["id"] for one in receiver.notifications} == {
                f"urn:ngsi-ld:Streetlight:{number}" for number in range(21)
            }

        await tenants.until(all_told, 30)
        assert len(await tenants.copies(tenants.source)) == 1
