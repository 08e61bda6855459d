"""The short form of the drill; `make drill` is the long one."""

import asyncio
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


async def test_nothing_is_lost_and_all_is_in_order_whoever_is_killed():
    options = ("--kills", "4", "--mongo-kills", "1", "--longest", "4", "--endpoints", "2")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.faults.drill", *options),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )

    out, _ = await process.communicate()

    assert process.returncode == 0, out.decode()
