"""Consumers go through the log at their own pace, and the log is as far as the slowest."""

import asyncio
import time
from datetime import UTC, datetime

import pytest
from bson import Timestamp

from broker.changelog.changes import DocumentChange, EntityChange
from broker.changelog.lane import Lane
from broker.changelog.position import Position

START = Position(Timestamp(1, 0))


def entity_change(number):
    at = datetime.now(UTC)
    return EntityChange("", f"urn:e:{number}", [], None, None, Timestamp(2, number), {"_data": f"{number}"}, at)


def document_change(number):
    return DocumentChange("", "subscriptions", "urn:s", None, {}, Timestamp(2, number), {"_data": f"{number}"})


class Taking:
    """A consumer that notes its batches, each after `seconds`."""

    def __init__(self, seconds=0.0):
        self.batches, self.seconds = [], seconds

    async def begin(self, position, lease):
        """Nothing to prepare."""

    async def handle(self, changes):
        await asyncio.sleep(self.seconds)
        self.batches.append([one.cluster_time.inc for one in changes])

    async def end(self):
        """Nothing to leave."""


@pytest.fixture
async def lane():
    """Makes lanes that run until the test is over."""
    tasks = []

    def make(consumer, gather):
        made = Lane([consumer], gather, START, lambda handled, awaited: None)
        tasks.append(asyncio.create_task(made.run()))
        made.task = tasks[-1]
        return made

    yield make
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_changes_of_entities_gather(lane):
    taking = Taking()
    gathering = lane(taking, 0.2)

    for number in range(3):
        gathering.add(entity_change(number))
        await asyncio.sleep(0.01)
    assert taking.batches == []
    await asyncio.sleep(0.3)

    assert taking.batches == [[0, 1, 2]]
    assert (gathering.place, gathering.token, gathering.passed) == (3, {"_data": "2"}, Timestamp(2, 2))


@pytest.mark.parametrize("hurrying", [[document_change(2)], [{"_data": "82"}], [entity_change(2)] * 499])
async def test_other_changes_the_end_of_the_log_and_a_full_batch_hurry_them(lane, hurrying):
    taking = Taking()
    gathering = lane(taking, 30.0)

    gathering.add(entity_change(1))
    for entry in hurrying:
        gathering.add(entry)
    await asyncio.sleep(0.05)

    assert taking.batches[0][0] == 1
    assert gathering.place == 1 + len(hurrying)


async def test_what_has_gathered_is_handed_over_at_a_stop(lane):
    taking = Taking(0.1)
    gathering = lane(taking, 30.0)
    gathering.add(entity_change(1))
    await asyncio.sleep(0.01)

    gathering.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gathering.task

    assert taking.batches == [[1]]
    assert gathering.place == 1


async def test_a_stop_waits_for_nobody_for_ever(lane):
    hanging = lane(Taking(60.0), 30.0)
    hanging.add(entity_change(1))
    await asyncio.sleep(0.01)

    began = time.monotonic()
    hanging.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await hanging.task

    assert time.monotonic() - began < 5
    assert hanging.place == 0


async def test_no_more_is_taken_than_can_be_held(lane):
    slow = lane(Taking(0.05), 0.0)
    for number in range(3000):
        slow.add(entity_change(number))
    began = time.monotonic()

    await slow.room()

    assert 0.04 < time.monotonic() - began < 2
    assert slow.place >= 500
