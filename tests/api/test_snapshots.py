"""Snapshots (4.3.7, 5.5.15, 5.16, 6.3.22): what queries found is frozen; everything works on it, nothing is shared."""

import asyncio
from datetime import UTC, datetime, timedelta

import aiohttp
import orjson
import pytest
from pymongo import AsyncMongoClient

from broker.embedded import EmbeddedMongo
from tests.api.conftest import Client
from tests.conftest import Broker
from tests.notifications.notifying import Receiver, serving

STREETLIGHTS = {"type": "Query", "entities": [{"type": "Streetlight"}]}
BAD = "https://uri.etsi.org/ngsi-ld/errors/BadRequestData"


def streetlight(number, power=50, **more):
    return {
        "id": f"urn:ngsi-ld:Streetlight:{number}",
        "type": "Streetlight",
        "power": {"type": "Property", "value": power, "observedAt": "2026-11-23T06:00:00Z"},
        "location": {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [4.36, 48.95]}},
        **more,
    }


def scoped(snapshot, **more):
    return {"NGSILD-Snapshot": snapshot, **more}


async def ready(api, location, seconds=20.0):
    """The snapshot at a Location, once it is not being prepared any more."""
    path = location.removeprefix("/ngsi-ld/v1")
    async with asyncio.timeout(seconds):
        while (shown := (await api.get(path)).json)["snapshotStatus"] == "preparing":  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    return shown


async def taken(api, **members):
    """A snapshot of all streetlights, or of other queries, that is ready."""
    body = {"type": "Snapshot", **members}
    if not {"snapshotQueries", "snapshotTemporalQueries"} & members.keys():
        body["snapshotQueries"] = [STREETLIGHTS]
    made = await api.post("/snapshots", body)
    assert made.status == 201, made.body
    return await ready(api, made.headers["Location"])


async def ids(api, snapshot, **parameters):
    answer = await api.get("/entities", headers=scoped(snapshot), **({"type": "Streetlight"} | parameters))
    assert answer.status == 200, answer.body
    return sorted(one["id"].rpartition(":")[2] for one in answer.json)


@pytest.fixture
async def lights(api):
    """Three streetlights, and no snapshots, at the start of each test."""
    await api.delete("/snapshots", q="snapshotPriority>0")
    await api.post("/entityOperations/upsert", [streetlight(1), streetlight(2, 70), streetlight(3, 90)])


async def test_a_snapshot_keeps_what_its_query_found(api, lights):
    queries = [{**STREETLIGHTS, "q": "power>60"}, {**STREETLIGHTS, "entities": [{"type": "Nothing"}]}]

    made = await api.post("/snapshots", {"type": "Snapshot", "snapshotQueries": queries, "snapshotLifetime": "PT10M"})
    shown = await ready(api, made.headers["Location"])
    await api.patch("/entities/urn:ngsi-ld:Streetlight:2/attrs/power", {"value": 0})
    await api.delete("/entities/urn:ngsi-ld:Streetlight:3")

    assert made.status == 201
    assert shown["snapshotStatus"] == "partial"
    assert shown["snapshotQueriesDetails"] == [{"resultStatus": "success"}, {"resultStatus": "empty"}]
    assert shown["snapshotPriority"] == 5
    assert shown["snapshotQueries"] == queries
    expiry = datetime.fromisoformat(shown["expiresAt"]) - datetime.now(UTC)
    assert timedelta(minutes=9) < expiry <= timedelta(minutes=10)
    snapshot = shown["id"]
    answer = await api.get("/entities", headers=scoped(snapshot), type="Streetlight", count="true", options="sysAttrs")
    assert answer.headers["NGSILD-Snapshot"] == snapshot
    assert answer.headers["NGSILD-Results-Count"] == "2"
    assert [one["power"]["value"] for one in answer.json] == [70, 90]
    assert answer.json[0]["createdAt"] < shown["createdAt"]
    assert (await api.get("/entities/urn:ngsi-ld:Streetlight:1", headers=scoped(snapshot))).status == 404
    assert await ids(api, snapshot, q="power>80") == ["3"]
    near = {"georel": "near;maxDistance==100", "geometry": "Point", "coordinates": "[4.36,48.95]"}
    assert await ids(api, snapshot, **near) == ["2", "3"]
    assert (await api.get("/types", headers=scoped(snapshot))).json["typeList"] == ["Streetlight"]
    shown_later = (await api.get(f"/snapshots/{snapshot}")).json
    assert shown_later["lastUsedAt"] > shown["lastUsedAt"] == shown["createdAt"]


async def test_everything_works_on_a_snapshot_and_leaves_the_tenant_alone(api, lights):
    snapshot = (await taken(api))["id"]
    one, headers = "/entities/urn:ngsi-ld:Streetlight:1", scoped(snapshot)
    receiver = Receiver()

    async with serving(receiver):
        subscription = {
            "type": "Subscription",
            "entities": [{"type": "Streetlight"}],
            "notification": {"endpoint": {"uri": receiver.url}},
        }
        subscribed = await api.post("/subscriptions", subscription, headers=headers)
        assert (await api.patch(f"{one}/attrs/power", {"value": 7}, headers=headers)).status == 204
        await receiver.until(1)
        await api.patch(f"{one}/attrs/power", {"value": 51})
        assert await receiver.quiet()

    told, body = receiver.requests[0]
    assert (told["NGSILD-Snapshot"], told["NGSILD-Tenant"]) == (snapshot, api.tenant)
    assert orjson.loads(body)["data"][0]["power"]["value"] == 7
    assert (await api.get(subscribed.headers["Location"].removeprefix("/ngsi-ld/v1"))).status == 404
    assert (await api.get("/subscriptions", headers=headers)).json[0]["notification"]["timesSent"] == 1
    created = await api.post("/entityOperations/create", [streetlight(8), streetlight(9)], headers=headers)
    assert created.status == 201
    assert (await api.delete("/entities/urn:ngsi-ld:Streetlight:2", headers=headers)).status == 204
    assert await ids(api, snapshot) == ["1", "3", "8", "9"]
    # 5.5.15: what is asked of a snapshot is local, so that it may be broad.
    assert len((await api.get("/entities", headers=headers, local="false")).json) == 4
    assert {entity["id"][-1] for entity in (await api.get("/entities", type="Streetlight")).json} == {"1", "2", "3"}
    assert (await api.get(one)).json["power"]["value"] == 51


async def test_the_history_of_a_snapshot_is_that_of_its_temporal_queries(api, lights):
    one = "urn:ngsi-ld:Streetlight:past"
    values = [{"type": "Property", "value": n, "observedAt": f"2026-10-{n:02}T00:00:00Z"} for n in range(1, 31)]
    await api.post("/temporal/entities", {"id": one, "type": "Streetlight", "power": values})
    between = {"timerel": "between", "timeAt": "2026-10-10T00:00:00Z", "endTimeAt": "2026-10-20T00:00:00Z"}
    selected = {"type": "Query", "entities": [{"type": "Streetlight", "id": one}]}
    queries = [{**selected, "temporalQ": between}, {**selected, "temporalQ": {**between, "lastN": 3}}]

    snapshot = (await taken(api, snapshotTemporalQueries=queries))["id"]
    await api.delete(f"/temporal/entities/{one}")

    past = (await api.get(f"/temporal/entities/{one}", headers=scoped(snapshot))).json
    assert sorted(instance["value"] for instance in past["power"]) == list(range(10, 20))
    sums = await api.get(
        f"/temporal/entities/{one}", headers=scoped(snapshot), aggrMethods="sum", format="aggregatedValues"
    )
    assert sums.json["power"]["sum"][0][0] == sum(range(10, 20))
    assert (await api.get(f"/entities/{one}", headers=scoped(snapshot))).status == 404


async def test_the_present_of_a_snapshot_is_not_its_past(api, lights):
    later = {"timerel": "after", "timeAt": "2026-11-23T00:00:00Z"}
    snapshot = (await taken(api, snapshotTemporalQueries=[{**STREETLIGHTS, "temporalQ": later}]))["id"]
    both = (
        await taken(api, snapshotQueries=[STREETLIGHTS], snapshotTemporalQueries=[{**STREETLIGHTS, "temporalQ": later}])
    )["id"]
    one = "/temporal/entities/urn:ngsi-ld:Streetlight:3"

    await api.patch("/entities/urn:ngsi-ld:Streetlight:3/attrs/power", {"value": 1}, headers=scoped(both))

    before = (await api.get(one, headers=scoped(snapshot))).json["power"]
    after = (await api.get(one, headers=scoped(both))).json["power"]
    values = [each["value"] for each in (before if isinstance(before, list) else [before])]
    assert len([each["value"] for each in after]) == len(values) + 1
    assert [each["value"] for each in after if each["value"] == 1] == [1]


async def test_projections_and_linked_entities_are_as_the_query_says(api, lights):
    cabinet = {"id": "urn:ngsi-ld:Cabinet:1", "type": "Cabinet", "room": 3}
    linked = streetlight(4, poweredBy={"type": "Relationship", "object": cabinet["id"]}, scope="/Chalons")
    await api.post("/entityOperations/upsert", [cabinet, linked])
    picked = {**STREETLIGHTS, "pick": ["id", "type", "poweredBy"], "q": "poweredBy", "join": "flat"}
    powered = {**STREETLIGHTS, "attrs": ["power"], "entities": [{"type": "Streetlight", "id": linked["id"]}]}

    snapshot = (await taken(api, snapshotQueries=[picked]))["id"]
    united = (await taken(api, snapshotQueries=[picked, powered]))["id"]

    found = (await api.get("/entities", headers=scoped(snapshot))).json
    assert {one["id"]: one.keys() - {"id", "type"} for one in found} == {
        linked["id"]: {"poweredBy"},
        cabinet["id"]: {"room"},
    }
    whole = (await api.get(f"/entities/{linked['id']}", headers=scoped(united))).json
    assert whole.keys() == {"id", "type", "poweredBy", "power", "scope"}
    await api.delete(f"/entities/{linked['id']}")


async def test_a_snapshot_belongs_to_its_tenant(api, lights):
    snapshot = (await taken(api))["id"]
    other = Client(api.session, api.root, f"{api.tenant}-other")
    await other.post("/entities", streetlight(1))

    assert (await other.get("/entities", type="Streetlight", headers=scoped(snapshot))).status == 404
    assert (await other.get(f"/snapshots/{snapshot}")).status == 404
    assert (await other.delete("/snapshots", q="snapshotPriority>0")).status == 404
    assert (
        await other.post("/snapshots", {"id": snapshot, "type": "Snapshot", "snapshotQueries": [STREETLIGHTS]})
    ).status == 201
    assert (await api.get(f"/snapshots/{snapshot}")).status == 200


async def test_a_clone_goes_its_own_way(api, lights):
    past = {**STREETLIGHTS, "temporalQ": {"timerel": "after", "timeAt": "2026-01-01T00:00:00Z"}}
    original = (await taken(api, snapshotQueries=[STREETLIGHTS], snapshotTemporalQueries=[past]))["id"]
    await api.patch("/entities/urn:ngsi-ld:Streetlight:1/attrs/power", {"value": 1}, headers=scoped(original))

    clone = {"id": "urn:ngsi-ld:Snapshot:clone", "type": "Snapshot", "snapshotPriority": 9}
    made = await api.post(f"/snapshots/{original}/clone", clone)
    again = await api.post(f"/snapshots/{original}/clone", clone)
    shown = await ready(api, made.headers["Location"])
    await api.delete(f"/snapshots/{original}")

    assert (made.status, again.status) == (201, 409)
    assert (shown["snapshotStatus"], shown["snapshotPriority"]) == ("success", 9)
    assert "snapshotQueries" not in shown
    copied = scoped(shown["id"])
    assert (await api.get("/entities/urn:ngsi-ld:Streetlight:1", headers=copied)).json["power"]["value"] == 1
    assert await ids(api, shown["id"]) == ["1", "2", "3"]
    instances = (await api.get("/temporal/entities/urn:ngsi-ld:Streetlight:1", headers=copied)).json["power"]
    assert 1 in [one["value"] for one in instances]
    near = {"georel": "near;maxDistance==100", "geometry": "Point", "coordinates": "[4.36,48.95]"}
    assert await ids(api, shown["id"], **near) == ["1", "2", "3"]
    assert (await api.post(f"/snapshots/{original}/clone", {"type": "Snapshot"})).status == 404


async def test_updates_change_what_may_change_and_tell_the_endpoint(api, lights):
    receiver = Receiver()
    async with serving(receiver):
        told = {"endpoint": receiver.url, "receiverInfo": [{"key": "Authorization", "value": "Bearer x"}]}
        shown = await taken(
            api,
            **told,
            snapshotTemporalQueries=[
                {**STREETLIGHTS, "temporalQ": {"timerel": "before", "timeAt": "2000-01-01T00:00:00Z"}}
            ],
        )
        path = f"/snapshots/{shown['id']}"
        await receiver.until(1)
        changed = await api.patch(
            path, {"snapshotPriority": 2, "snapshotLifetime": "PT1H", "snapshotStatus": "failure"}
        )
        await receiver.until(2)
        await api.delete(path)
        await receiver.until(3)

    assert changed.status == 200
    assert (changed.json["snapshotPriority"], changed.json["snapshotStatus"]) == (2, "empty")
    assert changed.json["expiresAt"] < shown["expiresAt"]
    assert changed.json["modifiedAt"] > shown["modifiedAt"]
    for headers, _ in receiver.requests:
        assert headers["Authorization"] == "Bearer x"
        assert headers["NGSILD-Tenant"] == api.tenant
        assert headers["Content-Type"] == "application/json"
    done, updated, deleted = receiver.notifications
    assert done.keys() == {
        *("id", "type", "snapshotId", "snapshotStatus", "snapshotPriority", "notifiedAt", "expiresAt"),
        "temporalSnapshotQueriesDetails",
    }
    assert (done["type"], done["snapshotId"]) == ("SnapshotNotification", shown["id"])
    assert done["temporalSnapshotQueriesDetails"] == [{"resultStatus": "empty"}]
    assert (updated["snapshotPriority"], updated["expiresAt"]) == (2, changed.json["expiresAt"])
    assert updated["notifiedAt"] < updated["expiresAt"]
    assert deleted["expiresAt"] < deleted["notifiedAt"]


async def test_a_notification_waits_for_an_endpoint_that_is_away(api, lights):
    receiver = Receiver(status=500)
    async with serving(receiver):
        await taken(api, endpoint=receiver.url)
        await receiver.until(2)
        receiver.status = 204
        tried = len(receiver.requests)
        await receiver.until(tried + 1)
        assert await receiver.quiet(1.5)

    assert len({one["id"] for one in receiver.notifications}) == 1


async def test_a_purge_takes_what_its_query_selects(api, lights):
    kept, gone = await taken(api, snapshotPriority=8), await taken(api, snapshotPriority=3)

    purged = await api.delete("/snapshots", q='snapshotPriority<5;snapshotStatus=="success"')

    assert purged.status == 204
    assert (await api.get(f"/snapshots/{gone['id']}")).status == 404
    assert (await api.get("/entities", type="Streetlight", headers=scoped(gone["id"]))).status == 404
    assert (await api.get(f"/snapshots/{kept['id']}")).status == 200
    assert (await api.delete("/snapshots", q="snapshotPriority<5")).status == 404
    later = kept["createdAt"].replace("2026", "2027")
    assert (await api.delete("/snapshots", q=f"createdAt<{later}")).status == 204


async def test_names_are_those_of_the_context_that_came_with_it(api, lights):
    context = {"@context": {"Lamp": "https://uri.etsi.org/ngsi-ld/default-context/Streetlight"}}
    await api.post("/jsonldContexts", context)
    query = {"type": "Query", "entities": [{"type": "Lamp"}]}

    made = await api.post("/snapshots", {"type": "Snapshot", "snapshotQueries": [query], **context})
    shown = await ready(api, made.headers["Location"])

    assert shown["snapshotStatus"] == "success"
    assert shown["snapshotQueries"] == [query]
    path = f"/snapshots/{shown['id']}"
    link = (await api.get(path)).headers["Link"]
    url = (await api.get(path, headers={"Accept": "application/ld+json"})).json["@context"]
    assert f"<{url}>" in link
    served = await api.get(url.partition("/ngsi-ld/v1")[2])
    assert served.json == context
    # The @contexts of a tenant are those of its snapshots.
    used = {"Link": f'<{url}>; rel="http://www.w3.org/ns/json-ld#context"; type="application/ld+json"'}
    found = await api.get("/entities", type="Lamp", headers=scoped(shown["id"], **used))
    assert found.status == 200, found.body
    assert {one["type"] for one in found.json} == {"Lamp"}


WRONG = {
    "no queries": {},
    "a query without end": {"snapshotQueries": []},
    "no array": {"snapshotQueries": STREETLIGHTS},
    "temporalQ among the others": {"snapshotQueries": [{**STREETLIGHTS, "temporalQ": {}}]},
    "no temporalQ": {"snapshotTemporalQueries": [STREETLIGHTS]},
    "too wide": {
        "snapshotQueries": [
            {"type": "Query", "q": "id"},
            {"type": "Query", "entities": [{"id": "urn:a:b", "type": ""}]},
        ]
    },
    "no Query": {"snapshotQueries": [{"type": "Quest"}]},
    "no grammar": {"snapshotQueries": [{**STREETLIGHTS, "q": "power>"}]},
    "aggregates": {
        "snapshotTemporalQueries": [
            {
                **STREETLIGHTS,
                "temporalQ": {"timerel": "after", "timeAt": "2026-01-01T00:00:00Z"},
                "aggrParams": {"aggrMethods": ["avg"]},
            }
        ]
    },
    "no duration": {"snapshotQueries": [STREETLIGHTS], "snapshotLifetime": "1 hour"},
    "no time at all": {"snapshotQueries": [STREETLIGHTS], "snapshotLifetime": "PT0S"},
    "priority 0": {"snapshotQueries": [STREETLIGHTS], "snapshotPriority": 0},
    "priority 11": {"snapshotQueries": [STREETLIGHTS], "snapshotPriority": 11},
    "priority true": {"snapshotQueries": [STREETLIGHTS], "snapshotPriority": True},
    "no URI": {"snapshotQueries": [STREETLIGHTS], "id": "one"},
    "an endpoint that is none": {"snapshotQueries": [STREETLIGHTS], "endpoint": "ftp://a.example/x"},
    "an endpoint that goes nowhere": {"snapshotQueries": [STREETLIGHTS], "endpoint": "sse:events"},
    "receiverInfo for nobody": {"snapshotQueries": [STREETLIGHTS], "receiverInfo": [{"key": "a", "value": "b"}]},
    "a member that there is not": {"snapshotQueries": [STREETLIGHTS], "snapshotSize": 7},
}


@pytest.mark.parametrize("wrong", WRONG)
async def test_what_is_wrong_is_named(api, wrong):
    answer = await api.post("/snapshots", {"type": "Snapshot", **WRONG[wrong]})

    assert (answer.status, answer.json["type"]) == (400, BAD), answer.body


async def test_bad_input(api, lights):
    shown = await taken(api)
    path = f"/snapshots/{shown['id']}"

    assert (await api.post("/snapshots", [])).json["type"].endswith("InvalidRequest")
    assert (await api.post("/snapshots", {"type": "Snapshots", "snapshotQueries": [STREETLIGHTS]})).status == 400
    same = {"id": shown["id"], "type": "Snapshot", "snapshotQueries": [STREETLIGHTS]}
    assert (await api.post("/snapshots", same)).status == 409
    for fragment in ({"snapshotQueries": []}, {"id": "urn:other:1"}, {"snapshotPriority": 99}, {"endpoint": 7}):
        assert (await api.patch(path, fragment)).json["type"] == BAD
    for missing in ("/snapshots/urn:ngsi-ld:Snapshot:none",):
        assert (await api.get(missing)).status == 404
        assert (await api.patch(missing, {"snapshotPriority": 1})).status == 404
        assert (await api.delete(missing)).status == 404
    for no_uri in ("/snapshots/none",):
        assert (await api.get(no_uri)).json["type"] == BAD
        assert (await api.delete(no_uri)).json["type"] == BAD
        assert (await api.post(f"{no_uri}/clone", {"type": "Snapshot"})).json["type"] == BAD
    for q in ("power>5", "snapshotPriority", "snapshotQueries.entities>1", "snapshotPriority>"):
        answer = await api.delete("/snapshots", q=q)
        assert answer.status == (204 if q == "snapshotPriority" else 400)
    assert (await api.delete("/snapshots")).json["type"] == BAD
    assert (await api.get("/snapshots")).status == 405


async def test_a_header_names_a_snapshot_or_is_refused(api, lights):
    snapshot = (await taken(api))["id"]

    unknown = await api.get("/entities", type="T", headers=scoped("urn:ngsi-ld:Snapshot:unknown"))
    assert unknown.json["type"].endswith("ResourceNotFound")
    assert unknown.headers["NGSILD-Snapshot"] == "urn:ngsi-ld:Snapshot:unknown"
    assert (await api.get("/entities", type="T", headers=scoped("unknown"))).json["type"] == BAD
    refused = await api.get("/csourceRegistrations", headers=scoped(snapshot))
    assert refused.json["type"].endswith("OperationNotSupported")
    # Resources that only the tenant has are the tenant's.
    assert (await api.get(f"/snapshots/{snapshot}", headers=scoped(snapshot))).status == 200
    assert (await api.get("/jsonldContexts", headers=scoped(snapshot))).status == 200


async def test_no_client_reaches_a_snapshot_as_a_tenant(api):
    for name in ("@5f", "@" + "0" * 24, "@x"):
        answer = await api.get("/entities", type="T", headers={"NGSILD-Tenant": name})
        assert (answer.status, answer.json["type"]) == (400, BAD)


async def test_an_unknown_tenant_has_no_snapshots(api):
    nobody = Client(api.session, api.root, "snapshots-nobody")

    made = await nobody.post("/snapshots", {"type": "Snapshot", "snapshotQueries": [STREETLIGHTS]})

    assert made.json["type"].endswith("NonexistentTenant")


@pytest.fixture
async def limited(tmp_path):
    """A broker that takes three snapshots of ten entities, and its client."""
    options = ("--snapshots", "3", "--snapshot-size", "10", "--snapshot-longest", "3600")
    one = Broker(tmp_path, options=options)
    await one.start()
    async with aiohttp.ClientSession(skip_auto_headers=["Content-Type", "Accept"]) as session:
        client = Client(session, f"{one.url}/ngsi-ld/v1", "")
        await client.post("/entities", streetlight(1))
        yield one, client
    await one.stop()


async def test_the_least_important_makes_room(limited):
    _, api = limited
    first, second, third = [await taken(api, snapshotPriority=priority) for priority in (5, 5, 9)]
    await asyncio.sleep(0.01)
    await api.get("/entities", type="Streetlight", headers=scoped(first["id"]))
    await asyncio.sleep(1.5)

    fourth = await taken(api, snapshotPriority=5)
    refused = await api.post(
        "/snapshots", {"type": "Snapshot", "snapshotQueries": [STREETLIGHTS], "snapshotPriority": 4}
    )

    there = [
        one["id"] for one in (first, second, third, fourth) if (await api.get(f"/snapshots/{one['id']}")).status == 200
    ]
    assert there == [first["id"], third["id"], fourth["id"]]
    assert refused.status == 507
    assert "snapshotPriority" in refused.json["detail"]


async def test_limits_of_size_and_time(limited):
    _, api = limited
    longest = await taken(api, snapshotLifetime="P10Y")
    assert datetime.fromisoformat(longest["expiresAt"]) - datetime.now(UTC) <= timedelta(hours=1)
    await api.post("/entityOperations/upsert", [streetlight(number) for number in range(11)])

    shown = await taken(api)

    assert shown["snapshotStatus"] == "failure"
    (detail,) = shown["snapshotQueriesDetails"]
    assert detail["resultStatus"] == "failure"
    assert detail["problemDetails"]["type"].endswith("TooManyResults")
    assert await ids(api, shown["id"]) == []


async def test_what_is_over_is_deleted(limited):
    _, api = limited
    receiver = Receiver()
    async with serving(receiver):
        shown = await taken(api, snapshotLifetime="PT1S", endpoint=receiver.url)
        await receiver.until(2)

    assert receiver.notifications[1]["expiresAt"] < receiver.notifications[1]["notifiedAt"]
    assert (await api.get(f"/snapshots/{shown['id']}")).status == 404
    assert (await api.get("/entities", type="Streetlight", headers=scoped(shown["id"]))).status == 404


async def test_a_preparation_that_was_killed_is_taken_up_again(tmp_path):
    one = Broker(tmp_path)
    await one.start()
    receiver = Receiver()
    try:
        async with aiohttp.ClientSession(skip_auto_headers=["Content-Type", "Accept"]) as session, serving(receiver):
            api = Client(session, f"{one.url}/ngsi-ld/v1", "")
            for start in range(0, 6000, 1000):
                batch = [streetlight(number) for number in range(start, start + 1000)]
                assert (await api.post("/entityOperations/create", batch)).status == 201
            body = {"type": "Snapshot", "snapshotQueries": [STREETLIGHTS], "endpoint": receiver.url}
            made = await api.post("/snapshots", body)
            path = made.headers["Location"].removeprefix("/ngsi-ld/v1")
            assert (await api.get(path)).json["snapshotStatus"] == "preparing"

            await one.kill()
            await one.start()
            while_preparing = await api.get("/entities", type="Streetlight", headers=scoped(path.rpartition("/")[2]))
            shown = await ready(api, made.headers["Location"], 60.0)
            await receiver.until(1)

            assert while_preparing.status == 503
            assert while_preparing.headers["Retry-After"] == "1"
            assert shown["snapshotStatus"] == "success"
            counted = await api.get("/entities", headers=scoped(shown["id"]), count="true", limit="0")
            assert counted.headers["NGSILD-Results-Count"] == "6000"
            assert [told["snapshotStatus"] for told in receiver.notifications] == ["success"]
            # What the killed one had begun is gone, and so is the whole once the snapshot is deleted.
            assert (await api.delete(path)).status == 204
            assert (await api.get(path)).status == 404
    finally:
        await one.stop()


async def test_another_process_takes_over_and_deletion_leaves_no_data(tmp_path):
    for name in ("mongo", "first", "second"):
        (tmp_path / name).mkdir()
    async with EmbeddedMongo(tmp_path / "mongo", cache_gb=0.25) as uri, AsyncMongoClient(uri) as mongo:
        first, second = [Broker(tmp_path / name, options=("--mongo-uri", uri)) for name in ("first", "second")]
        await mongo["beffroi-@dead"]["entities"].insert_one({"of": "nobody"})
        await first.start()
        await second.start()
        try:
            async with aiohttp.ClientSession(skip_auto_headers=["Content-Type", "Accept"]) as session:
                here, there = [Client(session, f"{one.url}/ngsi-ld/v1", "") for one in (first, second)]
                for start in range(0, 4000, 1000):
                    await here.post("/entityOperations/create", [streetlight(n) for n in range(start, start + 1000)])
                body = {"type": "Snapshot", "snapshotQueries": [STREETLIGHTS]}
                made = await here.post("/snapshots", body)
                hopeless = await here.post("/snapshots", {"id": "urn:ngsi-ld:Snapshot:hopeless", **body})
                path = made.headers["Location"].removeprefix("/ngsi-ld/v1")
                assert (await there.get(path)).json["snapshotStatus"] == "preparing"

                await first.kill()
                tried = {"$set": {"work.attempts": 3}}
                await mongo["beffroi"]["snapshots"].update_one({"s": "urn:ngsi-ld:Snapshot:hopeless"}, tried)
                shown = await ready(there, path, 40.0)
                failed = await ready(there, hopeless.headers["Location"], 40.0)

                assert failed["snapshotStatus"] == "failure"
                assert "begun 3 times" in failed["snapshotQueriesDetails"][0]["problemDetails"]["detail"]
                assert await ids(there, failed["id"]) == []
                assert (await there.delete(f"/snapshots/{failed['id']}")).status == 204
                assert shown["snapshotStatus"] == "success"
                counted = await there.get("/entities", headers=scoped(shown["id"]), count="true", limit="0")
                assert counted.headers["NGSILD-Results-Count"] == "4000"
                (database,) = [name for name in await mongo.list_database_names() if "@" in name]
                assert set(await mongo[database].list_collection_names()) >= {"entities", "historyLog"}
                assert (await there.delete(path)).status == 204
                assert not [name for name in await mongo.list_database_names() if "@" in name]
        finally:
            await second.stop()
            await first.stop()
