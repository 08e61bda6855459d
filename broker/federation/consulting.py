"""Consulting a context source: what it answers is taken if it is usable, and what it does not is told (6.3.17)."""

from typing import Any, Literal

from broker.federation.caller import Caller
from broker.federation.forwarding import Parameters
from broker.federation.remote import Answer, Remotes, Unanswered
from ngsi_ld.context import Context
from ngsi_ld.entity import Entity
from ngsi_ld.errors import NgsiLdError
from ngsi_ld.expansion import expand_received
from ngsi_ld.names import Names
from ngsi_ld.registration.registration import Registration

INVALID: Literal[111] = 111
STALE: Literal[110] = 110
NO_RESPONSE: Literal[199] = 199
ERROR: Literal[299] = 299

_FIRST_ERROR = 300
_NOT_FOUND = 404


class Consultation:
    """Sources asked for one request, with the warnings that come of it."""

    def __init__(self, remotes: Remotes, caller: Caller) -> None:
        self.remotes = remotes
        self.caller = caller

    def warn(self, registration: Registration, code: int, text: str) -> None:
        """The first warning of a kind for each source; a thousand invalid entities are one reason to look at it."""
        which = f"{code} {registration.id} "
        if not any(one.startswith(which) for one in self.caller.warnings):
            quoted = text.replace("\\", "/").replace('"', "'")
            self.caller.warnings.append(f'{which}"{quoted}"')

    async def names(self, registration: Registration) -> Context | None:
        """The @context that a source is asked in; None, with a warning, where it cannot be had."""
        try:
            return await self.remotes.context(self.caller, registration)
        except Unanswered as failure:
            self.warn(registration, NO_RESPONSE, failure.text)
            return None

    async def ask(
        self,
        registration: Registration,
        method: str,
        path: str,
        parameters: Parameters = (),
        body: Any = None,
        *,
        headers: dict[str, str] | None = None,
        refusals: frozenset[int] = frozenset(),
    ) -> Answer | None:
        """A good answer, or one with a status of `refusals`; None, with a warning unless it is a 404, for any other."""
        if (known := self.caller.maps.get(registration.id)) is not None:
            headers = {**(headers or {}), "NGSILD-EntityMap": known}
        try:
            answer = await self.remotes.ask(self.caller, registration, method, path, parameters, body, headers=headers)
        except Unanswered as failure:
            self.warn(registration, INVALID if failure.reason == "invalid" else NO_RESPONSE, failure.text)
            return None
        if answer.status in refusals:
            return answer
        if answer.cached:
            self.warn(registration, STALE, "its answer is one that it gave a moment ago")
        for warning in answer.warnings():
            if warning not in self.caller.warnings:
                self.caller.warnings.append(warning)
        if answer.status == _NOT_FOUND:
            return None
        if answer.status >= _FIRST_ERROR:
            self.warn(registration, ERROR, f"it answers {answer.status}{_detail(answer.body)}")
            return None
        if (told := answer.headers.get("NGSILD-EntityMap")) is not None:
            self.caller.maps[registration.id] = told
        return answer

    def entity(self, registration: Registration, body: Any, names: Names) -> Entity | None:
        """The entity that a source has sent; None, with a warning, where it is none."""
        try:
            return expand_received(body, names)
        except NgsiLdError as error:
            which = body.get("id", "") if isinstance(body, dict) else ""
            self.warn(registration, INVALID, f"an entity {which} of its answer is not valid: {error.detail}")
            return None

    def warn_foreign(self, registration: Registration, entity_id: str) -> None:
        """It has sent an entity that it is not registered for."""
        self.warn(registration, INVALID, f"it sends the entity {entity_id}, which is not its own")


def _detail(body: Any) -> str:
    if isinstance(body, dict):
        told = body.get("detail") or body.get("title")
        if isinstance(told, str):
            return f": {told[:200]}"
    return ""
