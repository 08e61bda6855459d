"""What the rules keep no longer goes away, and nothing else does."""

from bson import Timestamp

from broker.history.retention import parse_retention
from broker.history.sweeping import Retention
from ngsi_ld.temporal import instants

LATER = instants.read("2026-12-25T00:00:00Z")


async def left(kept, text):
    rules = Retention(kept.collections, parse_retention(text))
    gone = await rules.sweep(kept.tenant, LATER, kept.packer.turns)
    return gone, await kept.values("power"), await kept.values("name")


async def packed(kept, written):
    await kept.recorder.handle([written.change(power=1, name="Foch")])
    kept.lease.saved = Timestamp(1800000000, 1)
    await kept.pack()


async def test_what_is_older_goes(kept, written):
    await packed(kept, written)

    assert await left(kept, "P33D") == (0, [1], ["Foch"])
    assert await left(kept, "P30D") == (2, [], [])


async def test_one_attribute_goes(kept, written):
    await packed(kept, written)

    assert await left(kept, "P1Y; attribute=power P1W") == (1, [], ["Foch"])


async def test_a_type_is_kept_longer(kept, written):
    await packed(kept, written)

    assert await left(kept, "P1W; type=Lamp P1Y") == (0, [1], ["Foch"])


async def test_rules_of_other_tenants_do_not_count(kept, written):
    await packed(kept, written)

    assert await left(kept, "tenant=other P1W") == (0, [1], ["Foch"])
    assert await left(kept, f"tenant={kept.tenant} P1W") == (2, [], [])
