"""The short form of the drill of the adapters; `make drill` has the long one."""

import asyncio
import sys
from pathlib import Path

import pytest

from tests.faults.vendors import MOSQUITTO

ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(MOSQUITTO is None, reason="the drill needs mosquitto")
@pytest.mark.timeout(180)
async def test_what_a_vendor_was_acknowledged_is_in_the_broker_or_set_aside():
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.faults.feeds", "--kills", "2", "--longest", "2"),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )

    out, _ = await process.communicate()

    assert process.returncode == 0, out.decode()
