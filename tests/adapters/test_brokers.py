"""The answers of other brokers to a batch upsert: as Orion-LD, Scorpio and Stellio word them, and as the standard does.

The bodies are made after what those brokers document and are known to answer; what was refused is set aside with its
reason, and everything else is taken to be there."""

import json

import pytest
from aiohttp import web

from tests.adapters.peer import dead_letters, until

LAMPS = [f"urn:ngsi-ld:Streetlight:{name}" for name in "abcd"]
REFUSED = LAMPS[1]


def partly(error, status=207, success=True):
    def answer(created, updated, errors):
        if not errors:
            return web.json_response(created, status=201) if created else web.Response(status=204)
        body = {"errors": [{"entityId": each["entityId"], "error": error} for each in errors]}
        if success:
            body["success"] = created + updated
        return web.json_response(body, status=status)

    return answer


def one_status(status):
    def answer(created, updated, errors):
        return (
            web.json_response({"title": "Bad", "detail": "no name"}, status=400)
            if errors
            else web.Response(status=status)
        )

    return answer


def without_names(created, updated, errors):
    """A 207 that says that something is wrong, and not with what."""
    if not errors:
        return web.Response(status=204)
    return web.json_response({"success": [], "errors": [{"error": {"title": "no name"}}]}, status=207)


def silent(created, updated, errors):
    """A 207 that names nobody of those that it did not take."""
    if not errors:
        return web.Response(status=204)
    return web.json_response({"success": created + updated, "errors": [{"error": "no name"}]}, status=207)


ANSWERS = {
    "standard": partly(
        {"type": "https://uri.etsi.org/ngsi-ld/errors/BadRequestData", "title": "x", "detail": "no name"}
    ),
    "orion-ld": partly({"type": "https://uri.etsi.org/x", "title": "no name", "status": 400}),
    "orion-ld, all of them refused": partly({"title": "no name", "status": 400}, status=400),
    "an answer of 200": partly({"title": "no name"}, status=200),
    "scorpio": partly({"detail": "no name", "status": 400, "title": "x"}),
    "stellio": partly(["no name"]),
    "stellio, without what was taken": partly("no name", success=False),
    "one wrong entity is 400 for all": one_status(204),
    "no body": one_status(200),
    "no names": without_names,
    "silent": silent,
}


@pytest.mark.parametrize("answers", ANSWERS.values(), ids=ANSWERS)
async def test_one_of_four_is_refused(answers, peer, adapter_file, adapter, tmp_path):
    peer.answers = answers
    peer.refuse = {REFUSED: "no name"}
    feed = tmp_path / "feed.json"
    feed.write_text(json.dumps([{"id": name} for name in LAMPS]))
    lamp = {"id": "{id}", "type": "Streetlight", "attributes": {"name": "id"}}
    source = {"kind": "file", "path": str(feed)}
    process = adapter(adapter_file({"source": source, "format": "json", "entities": {"lamp": lamp}, "validate": "off"}))

    assert await process.ended() == 0
    await until(lambda: set(peer.entities) == set(LAMPS) - {REFUSED})
    (letter,) = dead_letters(tmp_path / "state/test")
    assert letter["record"]["id"] == REFUSED
    assert "no name" in letter["reason"]
