"""A process that follows the change log, to be killed: `python -m tests.notifications.follower MONGO_URI`."""

import asyncio
import sys

from pymongo import AsyncMongoClient

from tests.notifications.notifying import QUICK, running


async def follow(uri):
    async with AsyncMongoClient(uri) as client, running(client, QUICK) as broker:
        said = False
        while True:
            if broker.log.following and not said:
                print("following", flush=True)
                said = True
            await asyncio.sleep(0.02)


asyncio.run(follow(sys.argv[1]))
