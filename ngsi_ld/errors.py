"""The one error of the library, and the standard's table of what can go wrong (GS CIM 009 v1.9.1, 5.5.2 and 6.3.2).

Everything that refuses a request raises `NgsiLdError`; only the edge that faces the client turns it into a
ProblemDetails. The `detail` is for a person: which member is wrong, where, and what would be right.
"""

from enum import Enum
from typing import Any

ERROR_URI = "https://uri.etsi.org/ngsi-ld/errors/"


class ErrorType(Enum):
    """An error type: its name in the standard, its HTTP status, and the title that people read."""

    INVALID_REQUEST = ("InvalidRequest", 400, "The request is not well formed")
    BAD_REQUEST_DATA = ("BadRequestData", 400, "The request has data that NGSI-LD does not allow")
    ALREADY_EXISTS = ("AlreadyExists", 409, "It already exists")
    CONFLICT = ("Conflict", 409, "It conflicts with what is registered or stored")
    LD_CONTEXT_NOT_AVAILABLE = ("LdContextNotAvailable", 504, "A remote @context cannot be had")
    NO_MULTI_TENANT_SUPPORT = ("NoMultiTenantSupport", 501, "This broker has one tenant only")
    NONEXISTENT_TENANT = ("NonexistentTenant", 404, "There is no such tenant")
    OPERATION_NOT_SUPPORTED = ("OperationNotSupported", 422, "This operation is not supported")
    RESOURCE_NOT_FOUND = ("ResourceNotFound", 404, "There is no such resource")
    TOO_COMPLEX_QUERY = ("TooComplexQuery", 403, "The query is too complex")
    TOO_MANY_RESULTS = ("TooManyResults", 403, "The query has too many results")
    INTERNAL_ERROR = ("InternalError", 500, "The broker failed")
    BAD_GATEWAY = ("", 502, "A context source refused or failed")
    GATEWAY_TIMEOUT = ("", 504, "A context source did not answer in time")
    LOOP_DETECTED = ("", 508, "The request has come back to a broker that it came through")

    @property
    def uri(self) -> str:
        """The type URI of the ProblemDetails; those of 6.3.17 have none of the standard's (RFC 9457, 4.2.1)."""
        return ERROR_URI + self.value[0] if self.value[0] else "about:blank"

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self.value[1]

    @property
    def title(self) -> str:
        """The title of the ProblemDetails."""
        return self.value[2]


class NgsiLdError(Exception):
    """A request that cannot be honoured: the error type and a sentence that names the member at fault."""

    def __init__(self, error_type: ErrorType, detail: str) -> None:
        super().__init__(detail)
        self.type = error_type
        self.detail = detail

    def problem_details(self) -> dict[str, Any]:
        """The RFC 7807 object: `{"type": URI, "title": …, "detail": …, "status": 400}`."""
        return {"type": self.type.uri, "title": self.type.title, "detail": self.detail, "status": self.type.status}


def invalid_request(detail: str) -> NgsiLdError:
    """A request that is not well formed: not JSON, an unknown parameter."""
    return NgsiLdError(ErrorType.INVALID_REQUEST, detail)


def bad_request_data(detail: str) -> NgsiLdError:
    """Well-formed JSON or parameters whose content NGSI-LD does not allow."""
    return NgsiLdError(ErrorType.BAD_REQUEST_DATA, detail)


def not_found(detail: str) -> NgsiLdError:
    """The target of the operation is not there."""
    return NgsiLdError(ErrorType.RESOURCE_NOT_FOUND, detail)


def already_exists(detail: str) -> NgsiLdError:
    """What is to be created is there already."""
    return NgsiLdError(ErrorType.ALREADY_EXISTS, detail)
