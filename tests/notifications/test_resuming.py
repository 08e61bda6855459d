"""A process takes the log up after a change of an entity, and subscriptions have changed since."""

from broker.changelog.position import Position, now
from broker.changelog.stream import open_stream
from broker.store.tenants import DEFAULT_DATABASE

IMAGES = {"changeStreamPreAndPostImages": {"enabled": True}}


async def test_a_stream_of_subscriptions_goes_on_after_a_change_of_an_entity(client):
    database = client[DEFAULT_DATABASE]
    entities = await database.create_collection("entities", **IMAGES)
    subscriptions = await database.create_collection("subscriptions", **IMAGES)
    start = await now(client)
    await subscriptions.insert_one({"_id": "s1"})
    await entities.insert_one({"_id": "e1"})
    async with await open_stream(client, ["entities", "subscriptions"], Position(start)) as stream:
        token = [dict((await stream.next())["_id"]) for _ in range(2)][-1]

    await subscriptions.insert_one({"_id": "s2"})
    await subscriptions.delete_one({"_id": "s1"})

    async with await open_stream(client, ["subscriptions"], Position(start, token)) as stream:
        events = [await stream.next() for _ in range(2)]
    assert [(event["operation"], event["id"]) for event in events] == [("insert", "s2"), ("delete", "s1")]


async def test_a_stream_of_subscriptions_goes_on_after_a_change_of_one_of_them(client):
    subscriptions = await client[DEFAULT_DATABASE].create_collection("subscriptions", **IMAGES)
    start = await now(client)
    await subscriptions.insert_one({"_id": "s1"})
    await subscriptions.insert_one({"_id": "s2"})
    async with await open_stream(client, ["entities", "subscriptions"], Position(start)) as stream:
        token = dict((await stream.next())["_id"])

    async with await open_stream(client, ["subscriptions"], Position(start, token)) as stream:
        assert (await stream.next())["id"] == "s2"
