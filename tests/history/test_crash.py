"""The broker dies at any moment, again and again: the history is the sequence of the acknowledged writes."""

import asyncio
import random

import aiohttp

KILLS = 4
LAMPS = 5


async def write(broker, number, acknowledged, stop):
    """Counts a lamp's power up until told to stop; a write whose answer did not come is tried again as it is."""
    url = f"{broker.url}/ngsi-ld/v1/entityOperations/upsert"
    power = 0
    async with aiohttp.ClientSession() as session:
        while not stop.is_set():
            body = [{"id": f"urn:ngsi-ld:Lamp:{number}", "type": "Lamp", "power": {"value": power}}]
            try:
                async with session.post(url, json=body) as answer:
                    if answer.status in (201, 204):
                        acknowledged[number] = power
                        power += 1
            except aiohttp.ClientError:
                await asyncio.sleep(0.05)


async def test_history_is_what_was_acknowledged_across_kills(own_broker):
    acknowledged: dict[int, int] = {}
    stop = asyncio.Event()
    writers = [asyncio.create_task(write(own_broker, number, acknowledged, stop)) for number in range(LAMPS)]
    for _ in range(KILLS):
        await asyncio.sleep(random.uniform(0.3, 1.0))
        await own_broker.kill()
        await own_broker.start()
    await asyncio.sleep(0.5)
    stop.set()
    await asyncio.gather(*writers)

    async with aiohttp.ClientSession() as session:
        for number in range(LAMPS):
            url = f"{own_broker.url}/ngsi-ld/v1/temporal/entities/urn:ngsi-ld:Lamp:{number}"
            async with session.get(url) as answer:
                evolution = await answer.json()
            values = [one["value"] for one in evolution["power"]]
            assert acknowledged[number] > 20
            assert values == list(range(acknowledged[number] + 1))


async def test_a_write_after_a_read_of_an_empty_broker_is_recorded(own_broker):
    root = f"{own_broker.url}/ngsi-ld/v1"
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{root}/entities/urn:ngsi-ld:Lamp:1") as answer:
            assert answer.status == 404
        for power in range(3):
            body = [{"id": "urn:ngsi-ld:Lamp:1", "type": "Lamp", "power": {"value": power}}]
            async with session.post(f"{root}/entityOperations/upsert", json=body) as answer:
                assert answer.status in (201, 204)

        async with session.get(f"{root}/temporal/entities/urn:ngsi-ld:Lamp:1") as answer:
            assert [one["value"] for one in (await answer.json())["power"]] == [0, 1, 2]
