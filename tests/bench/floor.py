"""The floor: the same HTTP server and the same driver with the bare database call, one a request, and no NGSI-LD.

    python -m tests.bench.floor PORT MONGO_URI

Bare ASGI, journaled majority writes, documents as they come; what the broker does beyond this is what it costs.
"""

import sys
from typing import Any

import orjson
import uvicorn
from pymongo import AsyncMongoClient, ReplaceOne

_HEADERS = [(b"content-type", b"application/json")]


class Floor:
    """`GET /one/ID`, `GET /some`, `POST /create`, `PATCH /one/ID`, `POST /batch`."""

    def __init__(self, uri: str) -> None:
        self._uri = uri

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answers one request (ASGI)."""
        if scope["type"] == "lifespan":
            await receive()
            client: AsyncMongoClient[Any] = AsyncMongoClient(self._uri, w="majority", journal=True)
            self._entities = client["floor"]["entities"]
            await self._entities.create_index([("type", 1), ("created", 1), ("_id", 1)])
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await client.close()
            await send({"type": "lifespan.shutdown.complete"})
            return
        path = scope["path"]
        body = b"".join([chunk async for chunk in _chunks(receive)]) if scope["method"] != "GET" else b""
        status, answer = 204, b""
        if scope["method"] == "GET" and path.startswith("/one/"):
            status, answer = 200, orjson.dumps(await self._entities.find_one({"_id": path[5:]}))
        elif scope["method"] == "GET":
            found = self._entities.find({"type": "Vehicle"}, sort=[("created", 1), ("_id", 1)], limit=20)
            status, answer = 200, orjson.dumps(await found.to_list())
        elif path == "/create":
            await self._entities.insert_one(_document(orjson.loads(body)))
            status = 201
        elif path == "/batch":
            documents = [_document(one) for one in orjson.loads(body)]
            await self._entities.bulk_write(
                [ReplaceOne({"_id": one["_id"]}, one, upsert=True) for one in documents], ordered=False
            )
        else:
            await self._entities.update_one({"_id": path[5:]}, {"$set": orjson.loads(body)})
        headers = [*_HEADERS, (b"content-length", str(len(answer)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": answer})


async def _chunks(receive: Any) -> Any:
    more = True
    while more:
        message = await receive()
        yield message.get("body", b"")
        more = message.get("more_body", False)


def _document(entity: dict[str, Any]) -> dict[str, Any]:
    entity["_id"] = entity.pop("id")
    return entity


if __name__ == "__main__":
    uvicorn.run(Floor(sys.argv[2]), port=int(sys.argv[1]), log_level="warning", access_log=False, loop="uvloop")
