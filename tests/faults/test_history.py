"""The short form of the drill of the history; `make drill` has the long one."""

import asyncio
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


async def test_the_history_is_what_was_accepted_whoever_is_killed():
    options = ("--kills", "4", "--mongo-kills", "1", "--longest", "2", "--calm", "0")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.faults.history", *options),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )

    out, _ = await process.communicate()

    assert process.returncode == 0, out.decode()
