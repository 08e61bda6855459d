"""Create, retrieve, query, update and delete subscriptions (5.8.1 to 5.8.5).

    subscriptions   {_id: id, v: version, createdAt, modifiedAt, members: {…}, terms: {member: [[name, IRI], …]},
                     context: URL, via: [alias, …]?}                  in the database of the tenant

`via` are the brokers that the subscription has come through, if any: it is not copied back to them.

The collection is watched by the change log: what is written here reaches the notifier in the order of the log.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from pymongo import AsyncMongoClient
from pymongo.errors import DuplicateKeyError

from broker.contexts import Contexts
from broker.notifications.deliveries import Delivery, deliveries_of
from broker.notifications.endpoints import EndpointPolicy
from broker.operations.collections import TenantCollections, asking
from broker.store.store import Store
from ngsi_ld.context import Context
from ngsi_ld.errors import already_exists, not_found
from ngsi_ld.names import Names, checked_uri
from ngsi_ld.subscription import (
    Definition,
    Subscription,
    new_subscription,
    render_subscription,
    restored_subscription,
    updated_subscription,
)

Document = dict[str, Any]

SUBSCRIPTIONS = "subscriptions"
REGISTRATION_SUBSCRIPTIONS = "registrationSubscriptions"


@dataclass(frozen=True, slots=True)
class Stored:
    """A subscription with what the broker knows of it: when it was written, what became of its notifications."""

    subscription: Subscription
    created_at: str
    modified_at: str
    delivery: Delivery | None = None


def delivery_key(subscription_id: str, *, to_registrations: bool) -> str:
    """What the journal and the counts call a subscription: two of different kinds may have the same id."""
    return f"/csourceSubscriptions/{subscription_id}" if to_registrations else subscription_id


class Subscriptions:
    """The subscriptions of all tenants to entities, or `to_registrations` (5.11).

    `create_tenants`: whether a first subscription creates its tenant. `count_up` has what became of notifications
    written down before it is read.
    """

    def __init__(
        self,
        client: AsyncMongoClient[Any],
        store: Store,
        contexts: Contexts,
        endpoints: EndpointPolicy | None = None,
        *,
        create_tenants: bool = True,
        to_registrations: bool = False,
        count_up: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._client = client
        self._contexts = contexts
        self._endpoints = endpoints or EndpointPolicy()
        self._to_registrations = to_registrations
        self._count_up = count_up
        name = REGISTRATION_SUBSCRIPTIONS if to_registrations else SUBSCRIPTIONS
        self._collections = TenantCollections(client, store, name, create_tenants=create_tenants)

    async def create(self, tenant: str, body: Any, context: Context, now: str, via: Sequence[str] = ()) -> str:
        """Create Subscription (5.8.1): its id. AlreadyExists if the id is taken, BadRequestData for what is wrong.

        `body` is the JSON, `context` the @context of the request, `via` the brokers that it has come through.
        """
        generated = f"urn:ngsi-ld:Subscription:{uuid4()}"
        url = await self._contexts.host(tenant, context)
        subscription = new_subscription(body, context, url, now, generated, to_registrations=self._to_registrations)
        await self._check(tenant, subscription)
        collection = await self._collections.for_writing(tenant)
        with asking():
            try:
                document = {**_document(subscription), "v": 1, "createdAt": now, "modifiedAt": now}
                await collection.insert_one({**document, "via": list(via)} if via else document)
            except DuplicateKeyError:
                raise already_exists(f"the subscription {subscription.id} exists; choose another id") from None
        return subscription.id

    async def retrieve(self, tenant: str, subscription_id: str) -> Stored:
        """Retrieve Subscription (5.8.3); ResourceNotFound."""
        document = await self._found(tenant, subscription_id)
        with asking():
            return (await self._stored(tenant, [document]))[0]

    async def query(self, tenant: str, limit: int, offset: int) -> list[Stored]:
        """Query Subscriptions (5.8.4): a page, in the order of creation."""
        collection = await self._collections.existing(tenant)
        with asking():
            cursor = collection.find().sort([("createdAt", 1), ("_id", 1)]).skip(offset).limit(limit)
            documents = [document async for document in cursor] if limit else []
            return await self._stored(tenant, documents)

    async def count(self, tenant: str) -> int:
        """How many subscriptions the tenant has."""
        collection = await self._collections.existing(tenant)
        with asking():
            return await collection.count_documents({})

    async def update(self, tenant: str, subscription_id: str, fragment: Any, context: Context, now: str) -> None:
        """Update Subscription (5.8.2) with a fragment (5.5.8); ResourceNotFound, BadRequestData."""
        collection = await self._collections.existing(tenant)
        while True:
            document = await self._found(tenant, subscription_id)
            subscription = updated_subscription(
                subscription_of(document), fragment, context, now, to_registrations=self._to_registrations
            )
            await self._check(tenant, subscription)
            changed = {**_document(subscription), "v": document["v"] + 1, "modifiedAt": now}
            changed |= {name: document[name] for name in ("createdAt", "via") if name in document}
            with asking():
                result = await collection.replace_one({"_id": subscription_id, "v": document["v"]}, changed)
            if result.matched_count:
                return

    async def delete(self, tenant: str, subscription_id: str) -> None:
        """Delete Subscription (5.8.5); ResourceNotFound."""
        checked_uri(subscription_id, "the id of the subscription")
        collection = await self._collections.existing(tenant)
        with asking():
            result = await collection.delete_one({"_id": subscription_id})
        if not result.deleted_count:
            raise not_found(f"there is no subscription {subscription_id}")

    async def _stored(self, tenant: str, documents: Sequence[Document]) -> list[Stored]:
        keys = [delivery_key(document["_id"], to_registrations=self._to_registrations) for document in documents]
        if self._count_up is not None:
            await self._count_up()
        deliveries = await deliveries_of(self._client, tenant, keys)
        return [
            Stored(subscription_of(document), document["createdAt"], document["modifiedAt"], deliveries.get(key))
            for key, document in zip(keys, documents, strict=True)
        ]

    async def _check(self, tenant: str, subscription: Subscription) -> None:
        """What only the broker can tell: whether it may send there, whether the @context can be had."""
        self._endpoints.check(subscription.endpoint)
        await self._contexts.resolve(tenant, subscription.context)

    async def _found(self, tenant: str, subscription_id: str) -> Document:
        checked_uri(subscription_id, "the id of the subscription")
        collection = await self._collections.existing(tenant)
        with asking():
            document = await collection.find_one({"_id": subscription_id})
        if document is None:
            raise not_found(f"there is no subscription {subscription_id}")
        return document


def subscription_of(document: Document) -> Subscription:
    """The subscription of a stored document."""
    terms = {member: dict(pairs) for member, pairs in document["terms"].items()}
    return restored_subscription(Definition(document["_id"], document["members"], terms, document["context"]))


def render(
    stored: Stored, names: Names, now: str, *, sys_attrs: bool = False, to_registrations: bool = False
) -> Document:
    """The JSON of a subscription in the reader's names, without @context."""
    return render_subscription(
        stored.subscription,
        names,
        now,
        delivery=stored.delivery.members() if stored.delivery is not None else None,
        system={"createdAt": stored.created_at, "modifiedAt": stored.modified_at} if sys_attrs else None,
        to_registrations=to_registrations,
    )


def _document(subscription: Subscription) -> Document:
    definition = subscription.definition
    # Pairs and not objects: a name may have characters that MongoDB reads otherwise in the name of a field.
    terms = {member: [list(pair) for pair in known.items()] for member, known in definition.terms.items()}
    return {"_id": definition.id, "members": definition.members, "terms": terms, "context": definition.context}
