"""A notification as it leaves: the body of 5.3.1 around entities already rendered, and its headers (6.3.8).

The JSON is put together as bytes: the entities were serialized when the change was matched, and are not read again.
"""

from dataclasses import dataclass
from typing import Protocol

import orjson

from broker.snapshots.directory import Place
from ngsi_ld.subscription import Endpoint

JSON_LD = "application/ld+json"
GEO_JSON = "application/geo+json"

_LINK = '<{}>; rel="http://www.w3.org/ns/json-ld#context"; type="application/ld+json"'


@dataclass(frozen=True, slots=True)
class Message:
    """One notification to one endpoint: `headers` hold those of 6.3.8 and the receiverInfo."""

    endpoint: Endpoint
    headers: dict[str, str]
    body: bytes
    timeout: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """Whether it was delivered; if not, why, for a person."""

    delivered: bool
    reason: str = ""


class Sender(Protocol):
    """One way for notifications to travel."""

    async def send(self, message: Message) -> Outcome:
        """Delivers the message, or says why not; raises nothing but CancelledError."""
        ...

    async def close(self) -> None:
        """Leaves all connections."""
        ...


def context_in_body(endpoint: Endpoint, accept: str) -> bool:
    """Whether the body has the @context, rather than a Link header beside it (6.3.8)."""
    if accept == JSON_LD:
        return True
    return accept == GEO_JSON and endpoint.receiver_info.get("Prefer") != "body=json"


def headers(endpoint: Endpoint, place: Place, accept: str, context: str) -> dict[str, str]:
    """The headers of a notification; what receiverInfo says comes first and cannot replace the others."""
    made = dict(endpoint.receiver_info)
    made["Content-Type"] = accept
    if not context_in_body(endpoint, accept):
        made["Link"] = _LINK.format(context)
    if place.tenant:
        made["NGSILD-Tenant"] = place.tenant
    if place.snapshot is not None:
        made["NGSILD-Snapshot"] = place.snapshot
    return made


def body(
    endpoint: Endpoint,
    identifier: str,
    subscription: str,
    notified_at: str,
    accept: str,
    context: str,
    data: bytes,
    reason: str = "",
) -> bytes:
    """The Notification; `data` is its entities or features as JSON, separated by commas.

    With a `reason` it is a ContextSourceNotification, and `data` are registrations (5.3.2).
    """
    in_body = b',"@context":' + orjson.dumps(context) if context_in_body(endpoint, accept) else b""
    members = {"id": identifier, "type": "Notification", "subscriptionId": subscription, "notifiedAt": notified_at}
    if reason:
        members |= {"type": "ContextSourceNotification", "triggerReason": reason}
    start = orjson.dumps(members)
    if accept == GEO_JSON:
        return b'%b,"data":{"type":"FeatureCollection","features":[%b]%b}}' % (start[:-1], data, in_body)
    return b'%b,"data":[%b]%b}' % (start[:-1], data, in_body)
