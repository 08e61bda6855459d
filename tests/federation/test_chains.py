"""Brokers that know a next one, five of them in a row, and then in a ring (4.3.6.4, 6.3.18)."""

import itertools

import pytest

from tests.federation.conftest import vehicle

LENGTH = 5
CAR = "urn:ngsi-ld:Vehicle:1"


@pytest.fixture
async def chain(tenant, register):
    """Five sources, each registered at the one before it for all that can be asked and written."""
    links = [await tenant(f"link{number}x") for number in range(LENGTH)]
    for one, following in itertools.pairwise(links):
        await register(one, following, mode="redirect", operations=["redirectionOps", "queryBatch"])
    return links


@pytest.fixture
async def ring(chain, register):
    """The chain with its first link registered at the last."""
    await register(chain[-1], chain[0])
    return chain


async def test_what_the_last_one_has_is_found_by_the_first(chain):
    await chain[-1].post("/entities", vehicle(1, speed=50))

    one = await chain[0].get(f"/entities/{CAR}")
    several = await chain[0].get("/entities", type="Vehicle", count="true")

    assert one.json["speed"]["value"] == 50
    assert [each["id"] for each in several.json] == [CAR]
    assert several.headers["NGSILD-Results-Count"] == "1"
    assert "NGSILD-Warning" not in several.headers


async def test_what_is_written_at_the_first_is_kept_by_the_last(chain):
    created = await chain[0].post("/entities", vehicle(1, speed=50))
    updated = await chain[0].patch(f"/entities/{CAR}/attrs", {"speed": {"type": "Property", "value": 60}})

    assert (created.status, updated.status) == (201, 204)
    for link in chain[:-1]:
        assert (await link.get(f"/entities/{CAR}", local="true")).status == 404
    kept = await chain[-1].get(f"/entities/{CAR}", local="true")
    assert kept.json["speed"]["value"] == 60

    assert (await chain[0].delete(f"/entities/{CAR}")).status == 204
    assert (await chain[-1].get(f"/entities/{CAR}", local="true")).status == 404


async def test_each_has_its_own_and_all_are_found_once_around_a_ring(ring):
    for number, link in enumerate(ring):
        await link.post("/entities", vehicle(number, place=link.tenant), local="true")

    for link in ring:
        answer = await link.get("/entities", type="Vehicle", count="true", limit="2")
        more = await link.get("/entities", type="Vehicle", offset="2")

        found = [one["id"] for one in answer.json + more.json]
        assert found == [f"urn:ngsi-ld:Vehicle:{number}" for number in range(LENGTH)]
        assert answer.headers["NGSILD-Results-Count"] == str(LENGTH)


async def test_a_break_in_the_chain_is_told_at_its_beginning(chain, register):
    await chain[0].post("/entities", vehicle(1), local="true")
    await register(chain[2], "http://127.0.0.1:9")

    answer = await chain[0].get("/entities", type="Vehicle")

    assert [one["id"] for one in answer.json] == [CAR]
    assert answer.headers["NGSILD-Warning"].startswith("199 ")
