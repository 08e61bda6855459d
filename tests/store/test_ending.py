"""A broker whose MongoDB is gone still ends when it is told to."""

import asyncio

import pytest

from broker.ending import ended


async def test_a_task_that_loses_a_cancellation_is_ended_all_the_same(monkeypatch):
    monkeypatch.setattr("broker.ending._AGAIN_SECONDS", 0.01)
    lost = 0

    async def stubborn():
        nonlocal lost
        while True:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                lost += 1
                if lost > 2:
                    raise

    task = asyncio.create_task(stubborn())
    await asyncio.sleep(0)
    await ended(task)

    assert (task.cancelled(), lost) == (True, 3)
    with pytest.raises(asyncio.CancelledError):
        task.result()
    await ended(task)
