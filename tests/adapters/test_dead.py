"""`beffroi adapter dead`: what was set aside is shown, and goes its way once the cause is mended."""

import asyncio
import io
import json

from adapters.dead import main
from tests.adapters.peer import dead_letters, until

ENTITY = {"id": "urn:ngsi-ld:Thing:{name}", "type": "Thing", "attributes": {"n": {"value": "n", "type": "number"}}}
MENDED = {**ENTITY, "attributes": {"n": {"value": "numeric(n) || `0`", "type": "number"}}}


async def dead(*arguments):
    return await asyncio.to_thread(main, *arguments)


async def set_aside(adapter_file, adapter, peer, tmp_path, text):
    feed = tmp_path / "feed.ndjson"
    feed.write_text(text)
    source = {"kind": "file", "path": str(feed), "lines": True}
    file = adapter_file({"source": source, "entities": {"thing": ENTITY}})
    assert await adapter(file).ended() == 0
    return file


async def test_letters_are_listed_with_their_reasons(adapter_file, adapter, peer, tmp_path):
    file = await set_aside(adapter_file, adapter, peer, tmp_path, '{"name": "1", "n": "x"}\n')
    out, err = io.StringIO(), io.StringIO()

    assert await dead(file, "list", out, err) == 0

    first, record = out.getvalue().splitlines()
    assert first.endswith("  map: entities.thing.n (n): 'x' is not a number")
    assert json.loads(record) == {"name": "1", "n": "x"}
    assert err.getvalue().startswith("1 dead letters in ")


async def test_what_can_be_mapped_now_is_sent_and_the_rest_stays(adapter_file, adapter, peer, tmp_path):
    text = '{"name": "1", "n": "x"}\n{"name": "", "n": 1}\n{"name": "2", \n{"name": "3", "n": 3}\n'
    await set_aside(adapter_file, adapter, peer, tmp_path, text)
    sent_before = len(peer.entities)
    empty = tmp_path / "empty.ndjson"
    empty.write_text("")
    source = {"kind": "file", "path": str(empty), "lines": True}
    mended = adapter_file({"source": source, "entities": {"thing": MENDED}})
    err = io.StringIO()

    code = await dead(mended, "replay", io.StringIO(), err)

    assert (code, sent_before) == (1, 1)
    assert err.getvalue().splitlines()[0].startswith("1 letters are queued again and 2 stay")
    assert [letter["stage"] for letter in dead_letters(tmp_path / "state/test")] == ["map", "decode"]
    assert await adapter(mended).ended() == 0
    assert peer.entities["urn:ngsi-ld:Thing:1"]["n"]["value"] == 0


async def test_what_the_broker_refused_is_sent_again(adapter_file, adapter, peer, tmp_path):
    peer.refuse = {"urn:ngsi-ld:Thing:1": "not now"}
    file = await set_aside(adapter_file, adapter, peer, tmp_path, '{"name": "1", "n": 1}\n')
    assert [letter["stage"] for letter in dead_letters(tmp_path / "state/test")] == ["broker"]
    peer.refuse = {}
    (tmp_path / "feed.ndjson").write_text("")

    assert await dead(file, "replay", io.StringIO(), io.StringIO()) == 0

    assert await adapter(file).ended() == 0
    assert peer.entities["urn:ngsi-ld:Thing:1"]["n"]["value"] == 1
    assert dead_letters(tmp_path / "state/test") == []


async def test_an_adapter_that_runs_keeps_its_letters(adapter_file, adapter, peer, tmp_path):
    port = 1  # nothing listens there: the adapter waits for its vendor
    file = adapter_file(
        {"source": {"kind": "http_poll", "url": f"http://127.0.0.1:{port}/"}, "entities": {"thing": ENTITY}}
    )
    adapter(file)
    await until(lambda: "runs" in (tmp_path / "adapter.log").read_text())
    err = io.StringIO()

    assert await dead(file, "replay", io.StringIO(), err) == 1

    assert "is held by another adapter" in err.getvalue()
