"""Neighbours' brokers as the command line sees them: who they are, what they have, how they are registered.

Everything goes by NGSI-LD, so that the broker that is asked and the one that asks may be of any make.
"""

import asyncio
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp

_ROOT = "/ngsi-ld/v1"
_REGISTRATIONS = f"{_ROOT}/csourceRegistrations"
_CONFORMANCE = "1.9"
_PAGE = 100


class Refused(Exception):
    """A broker does not answer, or not as a broker does: a sentence that says which and what."""


@dataclass(frozen=True, slots=True)
class Source:
    """A broker that is asked, or could be: where it is, which of its tenants."""

    url: str
    tenant: str | None = None

    async def get(self, session: aiohttp.ClientSession, path: str, parameters: Mapping[str, str] | None = None) -> Any:
        """The JSON of a resource of it; raises Refused."""
        status, body = await self.ask(session, "GET", path, parameters=parameters)
        if status != 200:
            raise Refused(f"{self.url}{path} answers {status}{_detail(body)}")
        return body

    async def ask(
        self,
        session: aiohttp.ClientSession,
        method: str,
        path: str,
        *,
        parameters: Mapping[str, str] | None = None,
        body: Any = None,
    ) -> tuple[int, Any]:
        """Status and JSON of an answer; raises Refused where there is none."""
        headers = {"NGSILD-Tenant": self.tenant} if self.tenant else {}
        try:
            async with session.request(
                method, self.url + path, params=parameters, json=body, headers=headers, allow_redirects=False
            ) as response:
                text = await response.text()
                if not text:
                    return response.status, None
                return response.status, await response.json(content_type=None)
        except asyncio.TimeoutError:  # noqa: UP041 - aiohttp raises subclasses of both
            raise Refused(f"{self.url} does not answer within {session.timeout.total:g} s") from None
        except (aiohttp.ClientError, OSError) as error:
            raise Refused(f"{self.url} cannot be reached: {error}") from None
        except ValueError:
            raise Refused(
                f"{self.url}{path} answers with something that is not JSON; is this a broker's URL?"
            ) from None


@dataclass(frozen=True, slots=True)
class Neighbour:
    """What a broker tells of itself: its alias, the types it has, whether it speaks version 1.9."""

    alias: str | None
    types: tuple[str, ...]
    current: bool


@dataclass(frozen=True, slots=True)
class Check:
    """What came of asking the source of a registration: seconds that it took, or what was wrong."""

    registration: Mapping[str, Any]
    seconds: float
    fault: str | None = None


def registration(
    source: Source,
    neighbour: Neighbour,
    *,
    mode: str,
    id_pattern: str,
    operations: Sequence[str],
    name: str,
    timeout: int,
    identifier: str = "",
) -> dict[str, Any]:
    """The CSourceRegistration (5.2.9) of a neighbour; its id, if none is given, is the same each time it is made."""
    pattern = {"idPattern": id_pattern} if id_pattern else {}
    members: dict[str, Any] = {
        "id": identifier or f"urn:ngsi-ld:ContextSourceRegistration:{_identifier(source, neighbour, mode)}",
        "type": "ContextSourceRegistration",
        "endpoint": source.url,
        "mode": mode,
        "information": [{"entities": [{"type": one, **pattern} for one in neighbour.types]}],
        "operations": list(operations) or ["retrieveOps" if mode == "auxiliary" else "federationOps"],
    }
    if name:
        members["registrationName"] = name
    if source.tenant:
        members["tenant"] = source.tenant
    if neighbour.alias:
        members["contextSourceAlias"] = neighbour.alias
    if neighbour.current:
        members["contextSourceInfo"] = [{"key": "ngsildConformance", "value": _CONFORMANCE}]
    if timeout:
        members["management"] = {"timeout": timeout}
    return members


def _identifier(source: Source, neighbour: Neighbour, mode: str) -> str:
    told = neighbour.alias or "-".join(filter(None, (source.url.partition("://")[2], source.tenant)))
    told += "" if mode == "inclusive" else f"-{mode}"
    return re.sub(r"[^A-Za-z0-9._-]+", "-", told).strip("-")


async def met(source: Source, session: aiohttp.ClientSession, types: Sequence[str] | None) -> Neighbour:
    """A broker that is new to us; `types` are those that count, all that it has if none are named."""
    alias = await alias_of(source, session)
    if not types:
        # A tenant that has no entity yet does not exist yet.
        status, body = await source.ask(session, "GET", f"{_ROOT}/types")
        if status not in (200, 404):
            raise Refused(f"{source.url}{_ROOT}/types answers {status}{_detail(body)}; is this a broker's URL?")
        listed = body.get("typeList", []) if status == 200 and isinstance(body, dict) else []
        types = [listed] if isinstance(listed, str) else listed
    return Neighbour(alias, tuple(types), current=bool(types) and await _is_current(source, session, types[0]))


async def alias_of(source: Source, session: aiohttp.ClientSession) -> str | None:
    """The alias that the broker gives itself; None where it is older than the resource that tells (5.15)."""
    status, body = await source.ask(session, "GET", f"{_ROOT}/info/sourceIdentity")
    alias = body.get("contextSourceAlias") if status == 200 and isinstance(body, dict) else None
    return alias if isinstance(alias, str) else None


async def _is_current(source: Source, session: aiohttp.ClientSession, entity_type: str) -> bool:
    """Whether it orders an answer as 1.9 can, by which pages of several brokers are merged."""
    asked = {"type": entity_type, "orderBy": "id;desc", "limit": "2"}
    status, body = await source.ask(session, "GET", f"{_ROOT}/entities", parameters=asked)
    if status != 200 or not isinstance(body, list):
        return False
    ids = [one.get("id", "") for one in body]
    return ids == sorted(ids, reverse=True)


async def put(ours: Source, session: aiohttp.ClientSession, members: dict[str, Any]) -> bool:
    """Registers, or brings what is registered up to date; whether it was there."""
    status, body = await ours.ask(session, "POST", _REGISTRATIONS, body=members)
    if status == 201:
        return False
    there = f"{_REGISTRATIONS}/{members['id']}"
    if status == 409 and (await ours.ask(session, "GET", there))[0] == 200:
        changed = {name: value for name, value in members.items() if name != "id"}
        status, body = await ours.ask(session, "PATCH", there, body=changed)
        if status == 204:
            return True
    raise Refused(f"{ours.url} does not register it: {status}{_detail(body)}")


async def registrations(ours: Source, session: aiohttp.ClientSession) -> list[dict[str, Any]]:
    """All registrations of a tenant."""
    found: list[dict[str, Any]] = []
    while True:
        page = {"type": "*", "limit": str(_PAGE), "offset": str(len(found))}
        status, body = await ours.ask(session, "GET", _REGISTRATIONS, parameters=page)
        if status == 404:
            return found
        if status != 200 or not isinstance(body, list):
            raise Refused(f"{ours.url}{_REGISTRATIONS} answers {status}{_detail(body)}")
        found += body
        if len(body) < _PAGE:
            return found


async def checked(registered: dict[str, Any], session: aiohttp.ClientSession) -> Check:
    """Whether the source of a registration answers, and is who it was."""
    source = Source(base_url(registered["endpoint"]), registered.get("tenant"))
    began = time.perf_counter()
    try:
        status, body = await source.ask(session, "GET", f"{_ROOT}/info/sourceIdentity")
        seconds = time.perf_counter() - began
        alias = body.get("contextSourceAlias") if status == 200 and isinstance(body, dict) else None
        if status != 200:
            # One that is older than this resource still has types.
            await source.get(session, f"{_ROOT}/types")
        elif registered.get("contextSourceAlias", alias) != alias:
            told = registered["contextSourceAlias"]
            return Check(registered, seconds, f"calls itself {alias!r}, but is registered as {told!r}")
    except Refused as refused:
        return Check(registered, 0.0, str(refused))
    return Check(registered, seconds)


def base_url(url: str) -> str:
    """The URL of a broker, as people give it: with or without a slash, or with the root of the API."""
    if "://" not in url:
        url = f"http://{url}"
    return url.rstrip("/").removesuffix(_ROOT)


def _detail(body: Any) -> str:
    detail = body.get("detail") or body.get("title") if isinstance(body, dict) else None
    return f": {detail}" if detail else ""
