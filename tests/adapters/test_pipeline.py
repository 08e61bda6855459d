"""From a source to the broker: what is sent, what is set aside, what waits on disk."""

import asyncio
import json

import aiohttp

from adapters.definition import load
from adapters.run import run
from tests.adapters.peer import dead_letters, free_port, until

LAMP = {
    "id": "urn:ngsi-ld:Streetlight:test-{name}",
    "type": "Streetlight",
    "observedAt": "time",
    "attributes": {"name": {"value": "name", "static": True}, "powerConsumption": {"value": "watts", "unit": "WTT"}},
}


def lamp(name, watts, time="2026-03-02T18:04:05Z"):
    return {"name": name, "watts": watts, "time": time}


def ndjson(path, records):
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return {"source": {"kind": "file", "path": str(path)}, "format": "ndjson", "entities": {"lamp": LAMP}}


async def test_a_recorded_feed_reaches_the_broker(tmp_path, peer, adapter_file):
    file = adapter_file(
        {
            **ndjson(tmp_path / "feed", [lamp("1", 42.6), lamp("2", 0)]),
            "broker": {"url": peer.url, "tenant": "chalons", "token": "secret"},
        }
    )

    code = await run([load(file)])

    assert code == 0
    assert peer.tenants["chalons"]["urn:ngsi-ld:Streetlight:test-1"] == {
        "id": "urn:ngsi-ld:Streetlight:test-1",
        "type": "Streetlight",
        "name": {"type": "Property", "value": "1", "observedAt": "2026-03-02T18:04:05Z"},
        "powerConsumption": {
            "type": "Property",
            "value": 42.6,
            "unitCode": "WTT",
            "observedAt": "2026-03-02T18:04:05Z",
        },
    }
    headers, query, sent = peer.requests[0]
    assert len(sent) == 2
    assert query == {"options": "update"}
    assert headers["Authorization"] == "Bearer secret"
    assert headers["Content-Type"] == "application/json"
    assert headers["Link"].startswith(f"<{peer.url}/contexts/territory.jsonld>")


async def test_a_record_that_cannot_be_mapped_is_set_aside_and_the_rest_goes_on(tmp_path, peer, adapter_file):
    broken = lamp("2", {"watts": 3})
    file = adapter_file(
        {
            **ndjson(tmp_path / "feed", [lamp("1", 1), broken, lamp("3", 3)]),
            "entities": {"lamp": {**LAMP, "attributes": {"powerConsumption": {"value": "watts", "type": "number"}}}},
        }
    )

    await run([load(file)])

    assert sorted(peer.entities) == ["urn:ngsi-ld:Streetlight:test-1", "urn:ngsi-ld:Streetlight:test-3"]
    (letter,) = dead_letters(tmp_path / "state/test")
    assert letter["stage"] == "map"
    assert letter["reason"] == "entities.lamp.powerConsumption (watts): {'watts': 3} is not a number"
    assert letter["record"] == broken


async def test_an_entity_the_broker_refuses_is_set_aside_and_the_rest_goes_on(tmp_path, peer, adapter_file):
    peer.refuse = {"urn:ngsi-ld:Streetlight:test-2": "the broker does not want it"}
    file = adapter_file(ndjson(tmp_path / "feed", [lamp(str(number), number) for number in range(4)]))

    await run([load(file)])

    assert len(peer.entities) == 3
    (letter,) = dead_letters(tmp_path / "state/test")
    assert (letter["stage"], letter["reason"]) == ("broker", "the broker does not want it")
    assert letter["record"]["id"] == "urn:ngsi-ld:Streetlight:test-2"


async def test_a_batch_refused_whole_is_split_until_the_entity_at_fault_is_alone(tmp_path, adapter_file, peer):
    class Strict(type(peer)):
        async def _upsert(self, request):
            if any(entity["id"].endswith("-5") for entity in await request.json()):
                self.status = 400
            try:
                return await super()._upsert(request)
            finally:
                self.status = None

    strict = Strict()
    await strict.start()
    definition = ndjson(tmp_path / "feed", [lamp(str(number), number) for number in range(8)])
    file = adapter_file({**definition, "broker": {"url": strict.url}})

    await run([load(file)])
    await strict.stop()

    assert len(strict.entities) == 7
    (letter,) = dead_letters(tmp_path / "state/test")
    assert letter["reason"] == "400: not now"


async def test_late_data_never_overwrites_fresher_state(tmp_path, peer, adapter_file):
    later, earlier = "2026-03-02T18:04:05.5Z", "2026-03-02T18:04:05Z"
    feed = [lamp("1", 10, later), lamp("1", 20, earlier), lamp("1", 10, later)]
    file = adapter_file(ndjson(tmp_path / "feed", feed))

    await run([load(file)])

    power = peer.entities["urn:ngsi-ld:Streetlight:test-1"]["powerConsumption"]
    assert (power["value"], power["observedAt"]) == (10, later)
    assert len(peer.requests) == 1


async def test_what_does_not_change_is_sent_once(tmp_path, peer, adapter_file):
    feed = [lamp("1", 10, "2026-03-02T18:04:05Z"), lamp("1", 20, "2026-03-02T18:05:05Z")]
    file = adapter_file(ndjson(tmp_path / "feed", feed))

    await run([load(file)])

    first, second = (request[2][0] for request in peer.requests)
    assert "name" in first
    assert "name" not in second
    assert second["powerConsumption"]["value"] == 20


async def test_a_broker_that_is_away_is_waited_for(tmp_path, peer, adapter_file, adapter):
    await peer.stop()
    file = adapter_file(ndjson(tmp_path / "feed", [lamp(str(number), number) for number in range(1000)]))
    process = adapter(file)
    await until(lambda: (tmp_path / "state/test/queue.sqlite").exists())

    await peer.start()
    peer.status = 503
    await until(lambda: peer.requests)
    assert not peer.entities
    peer.status = None

    assert await process.ended() == 0
    assert len(peer.entities) == 1000


async def test_what_is_queued_survives_kill_9(tmp_path, peer, adapter_file, adapter):
    await peer.stop()
    file = adapter_file(ndjson(tmp_path / "feed", [lamp(str(number), number) for number in range(1000)]))
    process = adapter(file)
    await until(lambda: (tmp_path / "adapter.log").read_text().count("did not take"))
    process.kill()

    (tmp_path / "feed").write_text("")  # what comes now can only come from the queue
    await peer.start()
    again = adapter(file)

    assert await again.ended() == 0
    assert len(peer.entities) == 1000


async def test_sigterm_stops_cleanly_and_keeps_what_is_queued(tmp_path, peer, adapter_file, adapter):
    peer.status = 503
    file = adapter_file(ndjson(tmp_path / "feed", [lamp("1", 1)]))
    process = adapter(file)
    await until(lambda: peer.requests)

    assert await process.stop() == 0
    peer.status = None
    (tmp_path / "feed").write_text("")

    assert await adapter(file).ended() == 0
    assert len(peer.entities) == 1


async def test_one_state_directory_is_held_by_one_adapter(tmp_path, peer, adapter_file, adapter):
    peer.status = 503
    file = adapter_file(ndjson(tmp_path / "feed", [lamp("1", 1)]))
    adapter(file)
    await until(lambda: peer.requests)

    assert await adapter(file).ended() == 1
    assert "is held by another adapter" in (tmp_path / "adapter.log").read_text()


async def test_kill_9_at_any_moment_loses_nothing_while_the_broker_comes_and_goes(
    tmp_path, peer, adapter_file, adapter
):
    """A vendor posts, and posts again what was not acknowledged; adapter and broker die under it."""
    port = free_port()
    source = {"kind": "webhook", "port": port}
    file = adapter_file({"source": source, "entities": {"lamp": LAMP}, "delivery": {"batch": 20}})
    process = adapter(file)
    acknowledged = set()

    async def vendor():
        async with aiohttp.ClientSession() as session:
            for number in range(400):
                while number not in acknowledged:
                    try:
                        async with session.post(f"http://127.0.0.1:{port}/", json=lamp(str(number), number)) as answer:
                            assert answer.status == 204
                            acknowledged.add(number)
                    except aiohttp.ClientError:
                        await asyncio.sleep(0.02)

    posting = asyncio.ensure_future(vendor())
    for wanted in (40, 90, 170, 300):
        await until(lambda wanted=wanted: len(acknowledged) >= wanted)
        process.kill()
        await (peer.stop() if peer.running else peer.start())
        process = adapter(file)
    await posting
    if not peer.running:
        await peer.start()

    await peer.holds(400)
    assert not dead_letters(tmp_path / "state/test")


async def test_a_batch_too_long_for_the_broker_is_halved(tmp_path, peer, adapter_file):
    peer.most = 3
    file = adapter_file(ndjson(tmp_path / "feed", [lamp(str(number), number) for number in range(8)]))

    await run([load(file)])

    assert len(peer.entities) == 8
    assert not dead_letters(tmp_path / "state/test")


async def test_a_token_that_is_not_right_loses_nothing(tmp_path, peer, adapter_file, adapter):
    peer.status = 401
    file = adapter_file(ndjson(tmp_path / "feed", [lamp("1", 1)]))
    process = adapter(file)
    await until(lambda: len(peer.requests) > 2)

    peer.status = None

    assert await process.ended() == 0
    assert len(peer.entities) == 1
    assert "401: not now" in (tmp_path / "adapter.log").read_text()


async def test_several_adapters_in_one_process(tmp_path, peer, adapter_file, adapter):
    first = adapter_file(ndjson(tmp_path / "one", [lamp("1", 1)]), "one")
    second = adapter_file(ndjson(tmp_path / "two", [lamp("2", 2)]), "two")

    assert await adapter(first, second).ended() == 0

    assert sorted(peer.entities) == ["urn:ngsi-ld:Streetlight:test-1", "urn:ngsi-ld:Streetlight:test-2"]


async def test_strict_validation_sets_aside_and_warn_sends(tmp_path, peer, adapter_file):
    wrong = {**LAMP, "attributes": {"powerState": "state", "illuminanceLevel": {"value": "level"}}}
    feed = ndjson(tmp_path / "feed", [{"name": "1", "time": "2026-03-02T18:04:05Z", "state": "ON", "level": 7}])

    await run([load(adapter_file({**feed, "entities": {"lamp": wrong}, "validate": "strict"}, "strict"))])
    assert not peer.entities
    (letter,) = dead_letters(tmp_path / "state/strict")
    assert letter["stage"] == "validate"
    assert 'powerState must be one of on, off, low, bootingUp, not "ON"' in letter["reason"]

    await run([load(adapter_file({**feed, "entities": {"lamp": wrong}, "validate": "warn"}, "warn"))])
    assert len(peer.entities) == 1


async def test_xml_by_declaration_alone(tmp_path, peer, adapter_file):
    feed = tmp_path / "feed.xml"
    feed.write_text(
        '<feed xmlns="urn:f"><site id="1"><watts unit="W">4,2</watts></site><site id="2"><watts>5</watts></site></feed>'
    )
    entity = {"id": 'urn:x:{"@id"}', "type": "Thing", "attributes": {"w": {"value": "watts", "type": "number"}}}
    definition = {
        "source": {"kind": "file", "path": str(feed)},
        "format": {"kind": "xml", "record": "site"},
        "entities": {"site": entity},
    }

    await run([load(adapter_file(definition))])

    assert peer.entities["urn:x:2"]["w"]["value"] == 5
    (letter,) = dead_letters(tmp_path / "state/test")
    assert letter["record"] == {"@id": "1", "watts": {"@unit": "W", "#text": "4,2"}}
