"""The resource `/subscriptions/{id}/events`: a subscription followed as Server-Sent Events (HTML Living Standard, 9.2).

Beyond the standard, so that a browser hears of changes without running a server:

    new EventSource("/ngsi-ld/v1/subscriptions/urn:…/events").onmessage = (event) => JSON.parse(event.data).data

Each event is one Notification (5.3.1) with its @context inside. Its id is the place in the stream: a client that comes
back with it as Last-Event-ID, as an EventSource does by itself, misses nothing that is still kept. What is not kept any
more is told by an event `gap`.
"""

import asyncio
from collections.abc import AsyncGenerator

from pymongo.errors import PyMongoError

from broker.api.endpoint import Endpoint, Resource
from broker.api.media import EVENT_STREAM
from broker.api.request import Request
from broker.api.response import Response, dump
from broker.api.streaming import StreamingResponse
from broker.notifications.journal import Entry
from broker.notifications.message import GEO_JSON, JSON_LD, body
from broker.notifications.streams import Place, Stream
from ngsi_ld.datetimes import format_date_time
from ngsi_ld.errors import NgsiLdError, bad_request_data
from ngsi_ld.names import checked_uri
from ngsi_ld.subscription import Endpoint as NotificationEndpoint
from ngsi_ld.subscription import Subscription

_RETRY_MILLISECONDS = 2000
_PAUSE_SECONDS = 1.0
_HEADERS = [
    (b"content-type", EVENT_STREAM.encode()),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),  # nginx would hold events back
]


async def _events(request: Request) -> Response:
    checked_uri(request.ids[0], "the id in the path")
    given = request.headers.get(b"last-event-id")
    place = None if given is None else Place.parse(given.decode("latin-1").strip())
    if given is not None and place is None:
        raise bad_request_data("Last-Event-ID must be the id of an event of this stream, or 0 for all that is kept")
    services = request.services
    stored = await services.subscriptions.retrieve(request.tenant, request.ids[0])
    if request.method == "HEAD":
        return Response(200, b"", [*_HEADERS])
    stream = await services.streams.open(request.tenant, request.ids[0], place)
    chunks = _chunks(request, stored.subscription, stream)
    return StreamingResponse(Response(200, b"", [*_HEADERS]), chunks, services.settings.events_patience)


async def _chunks(request: Request, subscription: Subscription, stream: Stream) -> AsyncGenerator[bytes, None]:
    streams, settings = request.services.streams, request.services.settings
    try:
        yield b"retry: %d\nid: %b\n: following\n\n" % (_RETRY_MILLISECONDS, str(stream.place).encode())
        if stream.gap:
            told = {"after": str(stream.place), "detail": "events after this one are not kept any more"}
            yield b"event: gap\ndata: %b\n\n" % dump(told)
        while not streams.closing:
            try:
                entries = await streams.read(stream)
                if not entries and not await streams.wait(stream, settings.events_heartbeat):
                    # Also ends the stream where the subscription is no more.
                    await request.services.subscriptions.retrieve(request.tenant, subscription.id)
                    await streams.renew(stream)
                    stream.place = stream.place.moved()
                    # An id without data is no event, but moves the place of an EventSource.
                    yield b": alive\nid: %b\n\n" % str(stream.place).encode()
            except NgsiLdError:
                return
            except PyMongoError:
                yield b": the database is away\n\n"
                await asyncio.sleep(_PAUSE_SECONDS)
                continue
            if entries:
                made = []
                for entry in entries:
                    stream.place = stream.place.moved(entry.order)
                    made.append(b"id: %b\ndata: %b\n\n" % (str(stream.place).encode(), _notification(entry)))
                yield b"".join(made)
    finally:
        streams.shut(stream)


def _notification(entry: Entry) -> bytes:
    """The Notification in one line. Nothing stands beside it that could name the @context, so it is inside."""
    accept = GEO_JSON if entry.accept == GEO_JSON else JSON_LD
    notified_at = format_date_time(entry.at)
    return body(_HERE, entry.id, entry.subscription, notified_at, accept, entry.context, entry.data)


_HERE = NotificationEndpoint("sse:events")

RESOURCES = (
    Resource(
        "/subscriptions/{subscriptionId}/events",
        "The notifications of one subscription as Server-Sent Events",
        {"GET": Endpoint("Follow Subscription", "beyond the standard", _events, answers=(EVENT_STREAM,))},
    ),
)
