"""Notifications over HTTP and HTTPS (6.3.8): a POST; every 2xx means delivered."""

import asyncio
import logging

import aiohttp
from yarl import URL

from broker.notifications.message import Message, Outcome

logger = logging.getLogger(__name__)

_READ = 65536
_SHOWN = 200


class HttpSender:
    """Sends over kept connections, at most `per_host` to one host at a time."""

    def __init__(
        self, *, per_host: int, socket_factory: aiohttp.SocketFactoryType | None = None, user_agent: str = "Beffroi"
    ) -> None:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=0, limit_per_host=per_host, keepalive_timeout=30.0, socket_factory=socket_factory
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": user_agent},
            auto_decompress=False,
        )

    async def send(self, message: Message) -> Outcome:
        """Posts the message; redirections are not followed."""
        try:
            async with self._session.post(
                URL(message.endpoint.uri, encoded=True),
                data=message.body,
                headers=message.headers,
                timeout=aiohttp.ClientTimeout(total=message.timeout),
                allow_redirects=False,
            ) as response:
                # What the receiver answers is of no use, but a connection whose answer is read can be used again.
                answer = await response.content.read(_READ)
                if 200 <= response.status < 300:
                    return Outcome(True)
                shown = answer[:_SHOWN].decode("utf-8", "replace").strip()
                return Outcome(False, f"{response.status} {response.reason}: {shown}".rstrip(": "))
        except asyncio.TimeoutError:  # noqa: UP041 - aiohttp raises subclasses of both
            return Outcome(False, f"no answer within {message.timeout:g} s")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return Outcome(False, str(error) or type(error).__name__)

    async def close(self) -> None:
        """Closes the connections."""
        await self._session.close()
