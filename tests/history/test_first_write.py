"""The first writes of a broker that has just been started are recorded, whatever was read before."""

import aiohttp


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
