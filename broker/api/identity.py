"""The resource `/info/sourceIdentity` (6.33): who this broker is among federated ones."""

import time
import uuid
from datetime import timedelta

from broker.api.consumption import with_context
from broker.api.endpoint import Endpoint, Resource
from broker.api.request import Request
from broker.api.response import Response, dump
from broker.federation.via import own_alias

_STARTED = time.monotonic()


async def _identity(request: Request) -> Response:
    context = await request.context()
    name = own_alias(request.services.settings.alias, request.tenant)
    body = {
        "id": f"urn:ngsi-ld:ContextSourceIdentity:{uuid.uuid5(uuid.NAMESPACE_URL, name)}",
        "type": "ContextSourceIdentity",
        "contextSourceAlias": name,
        "contextSourceUptime": duration(timedelta(seconds=int(time.monotonic() - _STARTED))),
        "contextSourceTimeAt": request.now,
    }
    return Response(200, dump(with_context(body, request, context)), await request.answer_headers(context))


def duration(span: timedelta) -> str:
    """The ISO 8601 duration of a whole number of seconds: `P1DT2H3M4S`."""
    minutes, seconds = divmod(span.seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"P{span.days}DT{hours}H{minutes}M{seconds}S"


RESOURCES = (
    Resource(
        "/info/sourceIdentity",
        "This broker",
        {"GET": Endpoint("Retrieve Context Source Identity", "5.15.1", _identity)},
    ),
)
