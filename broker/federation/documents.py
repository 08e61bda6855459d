"""A registration as a MongoDB document, both ways.

    registrations   {_id: id, v: version, createdAt, modifiedAt, members: JSON text, context: URL, expiry: Date?}
                                                                      in the database of the tenant

The members are one text, since the names of properties are the client's. `v` grows with every write of an id, also
when it is deleted and created anew: it begins at the nanoseconds of the clock.
"""

from typing import Any

import orjson

from ngsi_ld.datetimes import parse_date_time
from ngsi_ld.registration.changes import restored_registration
from ngsi_ld.registration.registration import Definition, Registration

Document = dict[str, Any]

REGISTRATIONS = "registrations"


def document_of(registration: Registration, version: int, created_at: str, modified_at: str) -> Document:
    """The document of a registration."""
    definition = registration.definition
    document: Document = {
        "_id": definition.id,
        "v": version,
        "createdAt": created_at,
        "modifiedAt": modified_at,
        "members": orjson.dumps(definition.members).decode(),
        "context": definition.context,
    }
    if registration.expires_at is not None:
        document["expiry"] = parse_date_time(registration.expires_at)
    return document


def registration_of(document: Document) -> Registration:
    """The registration of a stored document."""
    return restored_registration(Definition(document["_id"], orjson.loads(document["members"]), document["context"]))
