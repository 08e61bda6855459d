"""The resources `/csourceSubscriptions` and `/csourceSubscriptions/{id}` (5.11, 6.12, 6.13)."""

import itertools

import pytest

NUMBERS = itertools.count(1)
ERRORS = "https://uri.etsi.org/ngsi-ld/errors/"


def subscription(**members):
    body = {
        "id": f"urn:ngsi-ld:Subscription:{next(NUMBERS)}",
        "type": "Subscription",
        "entities": [{"type": "Streetlight"}],
        "notification": {"endpoint": {"uri": "http://127.0.0.1:9/notify", "accept": "application/json"}},
    }
    return {name: value for name, value in (body | members).items() if value is not ...}


@pytest.fixture
async def path(api):
    body = subscription(temporalQ={"timerel": "after", "timeAt": "2025-01-01T00:00:00Z"})
    answer = await api.post("/csourceSubscriptions", body)
    assert (answer.status, answer.body) == (201, b"")
    path = answer.headers["Location"].removeprefix("/ngsi-ld/v1")
    assert path == f"/csourceSubscriptions/{body['id']}"
    yield path
    await api.delete(path)


async def test_a_subscription_is_retrieved_as_it_was_given(api, path):
    answer = await api.get(path)

    shown = answer.json
    assert (answer.status, shown.pop("status")) == (200, "active")
    assert shown == subscription(id=shown["id"], temporalQ={"timerel": "after", "timeAt": "2025-01-01T00:00:00Z"})
    assert "createdAt" in (await api.get(path, options="sysAttrs")).json
    assert (await api.get(f"/subscriptions/{shown['id']}")).status == 404


async def test_an_id_is_taken_once_and_deleted_once(api, path):
    body = subscription(id=path.rpartition("/")[2])

    assert (await api.post("/csourceSubscriptions", body)).json["type"] == f"{ERRORS}AlreadyExists"
    assert (await api.delete(path)).status == 204
    assert (await api.delete(path)).status == (await api.get(path)).status == 404


async def test_a_subscription_is_updated(api, path):
    assert (await api.patch(path, {"isActive": False, "temporalQ": None})).status == 204
    shown = (await api.get(path)).json
    assert (shown["status"], "temporalQ" in shown) == ("paused", False)

    assert (await api.patch(path, {"notification": None})).json["type"] == f"{ERRORS}BadRequestData"
    broken = await api.patch(path, b'{"description":,,}', headers={"Content-Type": "application/json"})
    assert broken.json["type"] == f"{ERRORS}InvalidRequest"
    assert (await api.patch("/csourceSubscriptions/urn:none:1", {"isActive": True})).status == 404


async def test_pages(api, path):
    answer = await api.get("/csourceSubscriptions", limit="1", count="true")

    assert [one["type"] for one in answer.json] == ["Subscription"]
    assert int(answer.headers["NGSILD-Results-Count"]) >= 1


@pytest.mark.parametrize(
    "members",
    [
        {"type": "ContextSourceRegistration"},
        {"entities": []},
        {"entities": ...},
        {"notification": ...},
        {"notification": {"endpoint": {"uri": "http://a.example", "accept": "application/geo+json"}}},
        {"notification": {"endpoint": {"uri": "sse:events"}}},
        {"notification": {"endpoint": {"uri": "ftp://a.example"}}},
        {"temporalQ": {"timerel": "after"}},
        {"timeInterval": -1},
        {"expiresAt": "2020-01-01T00:00:00Z"},
        {"csf": "a=="},
        {"unknown": 1},
    ],
)
async def test_what_is_refused(api, members):
    answer = await api.post("/csourceSubscriptions", subscription(**members))

    assert (answer.status, answer.json["type"]) == (400, f"{ERRORS}BadRequestData")
