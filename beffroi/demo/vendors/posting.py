"""How a vendor's system posts: again and again until the other side has taken it."""

import asyncio
from typing import Any

import aiohttp

_RETRY = 0.5


async def post(
    session: aiohttp.ClientSession, url: str, body: Any, headers: dict[str, str] | None = None, method: str = "POST"
) -> bytes:
    """Sends until it is accepted (2xx), and returns the answer's body; RuntimeError where it is refused (4xx)."""
    while True:
        try:
            async with session.request(method, url, data=body, headers=headers) as response:
                answer = await response.read()
                if response.status < 300:
                    return answer
                if response.status < 500:
                    raise RuntimeError(f"{method} {url}: {response.status} {answer[:500].decode(errors='replace')}")
        except (aiohttp.ClientError, TimeoutError):
            pass
        await asyncio.sleep(_RETRY)
