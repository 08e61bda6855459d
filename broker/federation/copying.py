"""One copy of a subscription at its source: made, brought up to date, taken away (5.8.1.4, 5.8.2.4, 5.8.5.4).

    subscriptionCopies   {_id: id of the copy at its source, t: tenant, s: our subscription, r: registration,
                          digest: of what the source was told last, members: names of it, made: bool,
                          split: whether what it notifies may be parts of entities, source: the registration's document}

The id of a copy is drawn at random and written down before the source hears of it, so that what it notifies is known
from the first moment, and nobody else can notify in its name.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any
from uuid import uuid4

import orjson
from pymongo import AsyncMongoClient, WriteConcern

from broker.api.response import ROOT
from broker.clock import now
from broker.contexts import Contexts
from broker.federation.caller import Caller
from broker.federation.documents import document_of, registration_of
from broker.federation.forwarding import segment
from broker.federation.remote import Remotes, Unanswered
from broker.federation.via import own_alias
from broker.notifications.forwarded import COPIES, PATH
from broker.settings import Settings
from broker.store.tenants import DEFAULT_DATABASE
from ngsi_ld.attributes import NULL
from ngsi_ld.registration.reduction import reduced
from ngsi_ld.registration.registration import Information, Registration
from ngsi_ld.subscription import Subscription

_DIGEST_BYTES = 16
_GONE = 404
_EXISTS = 409
_LOOP = 508

Key = tuple[str, str, str]
"""Tenant, our subscription, registration."""


@dataclass(slots=True)
class Distributed:
    """A subscription that context sources get copies of; `via` are the brokers that it has come through itself."""

    subscription: Subscription
    via: tuple[str, ...]
    split: bool


@dataclass(slots=True)
class Copy:
    """A copy as it is at its source, as far as is known here."""

    source: Registration
    id: str = field(default_factory=lambda: f"urn:ngsi-ld:Subscription:{uuid4()}")
    digest: str = ""
    members: Sequence[str] = ()
    made: bool = False
    split: bool = False


class Copier:
    """Has sources do what a copy needs. Every method raises Unanswered where the source does not do its part."""

    def __init__(self, client: AsyncMongoClient[Any], contexts: Contexts, remotes: Remotes, settings: Settings) -> None:
        self._contexts = contexts
        self._remotes = remotes
        self._alias = settings.alias
        self._endpoint = f"{settings.base_url}{ROOT}{PATH}"
        self._stored = client[DEFAULT_DATABASE].get_collection(COPIES, write_concern=WriteConcern(w="majority", j=True))

    async def stored(self) -> dict[Key, Copy]:
        """All copies that there are or may be."""
        return {
            (one["t"], one["s"], one["r"]): Copy(
                registration_of(one["source"]), one["_id"], one["digest"], one["members"], one["made"], one["split"]
            )
            async for one in self._stored.find()
        }

    async def bring_up_to_date(
        self, key: Key, copy: Copy, one: Distributed, source: Registration, information: tuple[Information, ...]
    ) -> bool:
        """Has the source keep the copy as it should be; False where none shall be, since it came from there."""
        context = await self._contexts.resolve(key[0], one.subscription.context)
        caller = Caller(key[0], context, now(), alias=own_alias(self._alias, key[0]), via=one.via)
        names = await self._remotes.context(caller, source)
        body = reduced(one.subscription, source, information, names, endpoint=self._endpoint, split=one.split)
        text = orjson.dumps([body, names.link], option=orjson.OPT_SORT_KEYS)
        digest = blake2b(text, digest_size=_DIGEST_BYTES).hexdigest()
        if copy.made and (copy.digest == digest or "updateSubscription" not in source.operations):
            return True
        copy.source, copy.split = source, one.split
        if not copy.made:
            await self._write(key, copy)
        if not (copy.made and await self._update(caller, copy, body)) and not await self._make(caller, copy, body):
            return False
        copy.made, copy.digest, copy.members = True, digest, tuple(body)
        await self._write(key, copy)
        return True

    async def take_away(self, key: Key, copy: Copy) -> None:
        """Has the source forget the copy, if it may be asked to."""
        if "deleteSubscription" in copy.source.operations:
            await self._ask(await self._caller(key[0]), copy, "DELETE", _path(copy), also=(_GONE,))

    async def forget(self, copy: Copy) -> None:
        """What is notified for this copy from now on is nobody's."""
        await self._stored.delete_one({"_id": copy.id})

    async def is_there(self, key: Key, copy: Copy) -> bool:
        """Whether the source still has the copy, if it may be asked that."""
        if "retrieveSubscription" not in copy.source.operations:
            return True
        return await self._ask(await self._caller(key[0]), copy, "GET", _path(copy), also=(_GONE,)) != _GONE

    async def _make(self, caller: Caller, copy: Copy, body: dict[str, Any]) -> bool:
        made = {"id": copy.id, **body}
        status = await self._ask(caller, copy, "POST", "/subscriptions", made, also=(_EXISTS, _LOOP))
        if status == _EXISTS:
            # An attempt whose answer was lost: what it brought is brought up to date.
            await self._update(caller, copy, body)
        return status != _LOOP

    async def _update(self, caller: Caller, copy: Copy, body: dict[str, Any]) -> bool:
        """Whether the source had the copy to update."""
        changed = {name: value for name, value in body.items() if name != "type"}
        changed |= {name: NULL for name in copy.members if name not in body}
        return await self._ask(caller, copy, "PATCH", _path(copy), changed, also=(_GONE,)) != _GONE

    async def _caller(self, tenant: str) -> Caller:
        context = await self._contexts.resolve(tenant, None)
        return Caller(tenant, context, now(), alias=own_alias(self._alias, tenant))

    async def _ask(
        self, caller: Caller, copy: Copy, method: str, path: str, body: Any = None, also: tuple[int, ...] = ()
    ) -> int:
        """The status of the answer, a 2xx or one of `also`."""
        answer = await self._remotes.ask(caller, copy.source, method, path, body=body)
        if not 200 <= answer.status < 300 and answer.status not in also:
            detail = answer.body.get("detail", "") if isinstance(answer.body, dict) else ""
            raise Unanswered("refused", f"{method} {path} is answered with {answer.status} {detail}".rstrip())
        return answer.status

    async def _write(self, key: Key, copy: Copy) -> None:
        document = {
            "t": key[0],
            "s": key[1],
            "r": key[2],
            "digest": copy.digest,
            "members": list(copy.members),
            "made": copy.made,
            "split": copy.split,
            "source": document_of(copy.source, 0, "", ""),
        }
        await self._stored.replace_one({"_id": copy.id}, document, upsert=True)


def _path(copy: Copy) -> str:
    return f"/subscriptions/{segment(copy.id)}"
