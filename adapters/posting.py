"""Requests to a broker until it has the last word: what is away, overloaded or wrongly addressed is tried again."""

import asyncio
import logging
from collections.abc import Collection, Mapping
from typing import Any

import aiohttp
import orjson

from adapters.backoff import Backoff
from adapters.counts import AdapterCounts
from adapters.definition import Delivery

_log = logging.getLogger("beffroi.adapter.sink")


class Poster:
    """Posts JSON over one session; counts and tells each try that came to nothing."""

    def __init__(self, session: aiohttp.ClientSession, delivery: Delivery, counts: AdapterCounts) -> None:
        self._session = session
        self._delivery = delivery
        self._counts = counts

    async def answer(self, url: str, content: Any, final: Collection[int], what: str) -> tuple[int, Any]:
        """The status, one of `final`, and the JSON of the answer; with growing pauses for as long as it takes. `what`
        is posted, for people."""
        backoff = Backoff(self._delivery.retry_first, self._delivery.retry_most)
        body = orjson.dumps(content)
        while True:
            wait = 0.0
            try:
                async with self._session.post(url, data=body) as response:
                    answer = _parsed(await response.read())
                    if response.status in final:
                        return response.status, answer
                    fault = f"{response.status}: {reason(answer)}"
                    wait = _retry_after(response.headers)
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                fault = str(error) or "no answer in time"
            self._counts.failures.inc()
            delay = max(wait, backoff.next())
            _log.warning("%s did not take %s (%s); again in %.1f s", url, what, fault, delay)
            await asyncio.sleep(delay)


def reason(problem: Any) -> str:
    """The words of a problem document; brokers also say them in a list, or as a text."""
    if isinstance(problem, list):
        return "; ".join(reason(each) for each in problem) or "no reason given"
    if isinstance(problem, dict):
        return str(problem.get("detail") or problem.get("title") or problem.get("type") or problem)
    return str(problem) if problem else "no reason given"


def _parsed(body: bytes) -> Any:
    try:
        return orjson.loads(body) if body else None
    except orjson.JSONDecodeError:
        return None


def _retry_after(headers: Mapping[str, str]) -> float:
    text = headers.get("Retry-After", "")
    return min(float(text), 3600.0) if text.isdecimal() else 0.0
