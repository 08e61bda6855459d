"""Values that come late or out of order: the history takes them where they belong, whichever way they come.

By the operations on entities the current state becomes what was written last (5.6.2 to 5.6.4, 5.6.9, 5.6.17 say nothing
of an older `observedAt`); by those on temporal evolutions it stays as it is (5.6.11, 5.6.12).
"""

import itertools

import pytest

_NUMBERS = itertools.count()


def at(hour, value):
    return {"type": "Property", "value": value, "observedAt": f"2026-11-23T{hour:02d}:00:00Z"}


@pytest.fixture
async def lamp(api):
    """A lamp whose power is known since ten o'clock."""
    entity_id = f"urn:ngsi-ld:Lamp:{next(_NUMBERS)}"
    body = {"id": entity_id, "type": "Lamp", "power": at(10, 5)}
    assert (await api.post("/entities", body)).status == 201
    return entity_id


async def current(api, lamp):
    power = (await api.get(f"/entities/{lamp}")).json["power"]
    return power["value"], power["observedAt"][11:13]


async def history(api, lamp, **parameters):
    evolution = (await api.get(f"/temporal/entities/{lamp}", options="temporalValues", **parameters)).json
    return [(value, time[11:13]) for value, time in evolution["power"]["values"]]


async def write(api, lamp, way, power):
    path, entity = f"/entities/{lamp}", {"id": lamp, "type": "Lamp", "power": power}
    patch = {"Content-Type": "application/merge-patch+json"}
    ways = {
        "patch of an attribute": lambda: api.patch(f"{path}/attrs/power", power),
        "patch of attributes": lambda: api.patch(f"{path}/attrs", {"power": power}),
        "append": lambda: api.post(f"{path}/attrs", {"power": power}),
        "merge": lambda: api.patch(path, {"power": power}, headers=patch),
        "replace": lambda: api.put(path, entity),
        "batch upsert": lambda: api.post("/entityOperations/upsert", [entity]),
        "batch update": lambda: api.post("/entityOperations/update", [entity]),
        "batch merge": lambda: api.post("/entityOperations/merge", [entity]),
    }
    answer = await ways[way]()
    assert answer.status in (200, 201, 204), answer.body


@pytest.mark.parametrize(
    "way",
    [
        "patch of an attribute",
        "patch of attributes",
        "append",
        "merge",
        "replace",
        "batch upsert",
        "batch update",
        "batch merge",
    ],
)
async def test_the_current_state_is_what_was_written_last(api, lamp, way):
    await write(api, lamp, way, at(8, 3))
    await write(api, lamp, way, at(9, 4))

    assert await current(api, lamp) == (4, "09")
    assert await history(api, lamp) == [(3, "08"), (4, "09"), (5, "10")]


async def test_the_history_takes_late_values_and_the_current_state_stays(api, lamp):
    answer = await api.post(f"/temporal/entities/{lamp}/attrs", {"power": [at(9, 4), at(7, 2), at(8, 3)]})

    assert answer.status == 204
    assert await current(api, lamp) == (5, "10")
    assert await history(api, lamp) == [(2, "07"), (3, "08"), (4, "09"), (5, "10")]
    before_nine = {"timerel": "before", "timeAt": "2026-11-23T09:00:00Z", "lastN": 1}
    assert await history(api, lamp, **before_nine) == [(3, "08")]


async def test_late_values_of_an_entity_that_was_never_written_have_a_history_only(api):
    lamp = "urn:ngsi-ld:Lamp:archived"

    answer = await api.post("/temporal/entities", {"id": lamp, "type": "Lamp", "power": [at(9, 4), at(8, 3)]})

    assert answer.status == 201
    assert (await api.get(f"/entities/{lamp}")).status == 404
    assert await history(api, lamp) == [(3, "08"), (4, "09")]


async def test_a_late_value_that_is_sent_again_is_there_once(api, lamp):
    for _ in range(2):
        await api.post(f"/temporal/entities/{lamp}/attrs", {"power": at(9, 4)})

    assert await history(api, lamp) == [(4, "09"), (5, "10")]


async def test_the_newest_value_by_the_temporal_api_does_not_move_the_current_state_on(api, lamp):
    await api.post(f"/temporal/entities/{lamp}/attrs", {"power": at(11, 6)})

    assert await current(api, lamp) == (5, "10")
    assert await history(api, lamp) == [(5, "10"), (6, "11")]
