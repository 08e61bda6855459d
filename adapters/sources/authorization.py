"""How a source that asks over HTTP shows who it is: fixed headers (API keys), basic, or OAuth 2 client credentials
(RFC 6749, 4.4)."""

import base64
import time
from dataclasses import dataclass

import aiohttp

from adapters.errors import DefinitionError
from adapters.sources.refusals import RefusedError


@dataclass(frozen=True, slots=True)
class OAuth2:
    """`audience`: for the servers that want one. `in_body`: the client's id and secret as form members, for servers
    that do not take them as basic authorization."""

    token_url: str
    client_id: str
    client_secret: str
    scope: str = ""
    audience: str = ""
    in_body: bool = False


@dataclass(frozen=True, slots=True)
class Basic:
    """A name and a password (RFC 7617)."""

    username: str
    password: str


class Authorization:
    """The Authorization header of each request; a token is fetched when there is none and kept until it expires."""

    def __init__(self, oauth2: OAuth2 | None, basic: Basic | None, where: str) -> None:
        if oauth2 and basic:
            raise DefinitionError(where, "has both oauth2 and basic; one of them")
        self._oauth2 = oauth2
        self._basic = basic
        self._token = ""
        self._until = 0.0

    async def headers(self, session: aiohttp.ClientSession) -> dict[str, str]:
        """The header, or none. Raises aiohttp.ClientError and RefusedError where the server gives no token."""
        if self._basic:
            return {"Authorization": _basic(self._basic.username, self._basic.password)}
        if not self._oauth2:
            return {}
        if time.monotonic() >= self._until:
            await self._fetch(session, self._oauth2)
        return {"Authorization": f"Bearer {self._token}"}

    def refused(self) -> None:
        """A 401: the token is of no use any more, whatever it said."""
        self._until = 0.0

    async def _fetch(self, session: aiohttp.ClientSession, options: OAuth2) -> None:
        form = {"grant_type": "client_credentials", "scope": options.scope, "audience": options.audience}
        headers = {"Accept": "application/json"}
        if options.in_body:
            form |= {"client_id": options.client_id, "client_secret": options.client_secret}
        else:
            headers["Authorization"] = _basic(options.client_id, options.client_secret)
        data = {name: value for name, value in form.items() if value}
        async with session.post(options.token_url, data=data, headers=headers) as response:
            if response.status != 200:
                raise RefusedError(f"{options.token_url} gives no token: it answered {response.status}")
            try:
                answer = await response.json(content_type=None)
                self._token = str(answer["access_token"])
                lasts = float(answer.get("expires_in") or 300)
            except (ValueError, TypeError, KeyError):
                raise RefusedError(f"{options.token_url} answered without an access_token") from None
        self._until = time.monotonic() + max(lasts - 30, lasts / 2)


def _basic(name: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()
