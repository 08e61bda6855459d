"""What became of a write that was divided: one answer for all of its parts (5.2.16, 5.2.17, 5.2.18, 6.3.17).

Nothing failed: the normal answer. All of it failed for one reason: that error. Otherwise 207, with what was done, what
was not, why, and by which registration it was sent.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from broker.federation.remote import Answer, Unanswered
from broker.store.store import StoreUnavailable
from ngsi_ld.errors import ErrorType, NgsiLdError
from ngsi_ld.mutations import UpdateResult
from ngsi_ld.mutations.attributes import SCOPE
from ngsi_ld.registration.registration import Registration

_UNANSWERED = {
    "loop": ErrorType.LOOP_DETECTED,
    "timeout": ErrorType.GATEWAY_TIMEOUT,
    "cooling": ErrorType.GATEWAY_TIMEOUT,
    "refused": ErrorType.BAD_GATEWAY,
    "invalid": ErrorType.BAD_GATEWAY,
}
_REFUSED = {404: ErrorType.RESOURCE_NOT_FOUND, 508: ErrorType.LOOP_DETECTED}
_ONE_REASON = frozenset({ErrorType.CONFLICT, ErrorType.RESOURCE_NOT_FOUND})
"""Errors that stand for all parts of a write where every one of them failed so."""

CREATED = 201
MULTI_STATUS = 207


@dataclass(frozen=True, slots=True)
class Failure:
    """Why something was not done: `error` if it is all that a client is told, `problem` in the list of a 207."""

    error: NgsiLdError | StoreUnavailable
    problem: dict[str, Any]
    attribute: str | None = None

    @classmethod
    def of(cls, error: NgsiLdError | StoreUnavailable) -> "Failure":
        """The failure that an error of this broker is."""
        if isinstance(error, NgsiLdError):
            return cls(error, error.problem_details())
        problem = {"type": "about:blank", "title": "The database is away", "detail": str(error), "status": 503}
        return cls(error, problem)

    @property
    def reason(self) -> str:
        """In one sentence."""
        detail = str(self.problem.get("detail") or self.problem.get("title"))
        return f"{detail} ({self.problem['status']})" if "status" in self.problem else detail


@dataclass(slots=True)
class Leg:
    """What became of one part: here (`registration` None) or at a source.

    `attributes` are the IRIs that it had to write, `updated` those that it wrote. It has `succeeded` if something of it
    was done, with the failures of the rest; the source tells if it `created` the entity.
    """

    registration: str | None
    attributes: Sequence[str] = ()
    succeeded: bool = True
    updated: Sequence[str] = ()
    failures: list[Failure] = field(default_factory=list)
    created: bool = False


def failed(registration: Registration | None, attributes: Iterable[str], failure: Failure) -> Leg:
    """A part of which nothing was done."""
    return Leg(registration.id if registration else None, tuple(attributes), succeeded=False, failures=[failure])


def done_here(attributes: Iterable[str], result: UpdateResult | None) -> Leg:
    """The part of this broker, with what its mutation did, if it tells."""
    if result is None:
        return Leg(None, updated=tuple(attributes))
    failures = []
    for name, reason in result.not_updated:
        error = NgsiLdError(ErrorType.BAD_REQUEST_DATA, reason)
        failures.append(Failure(error, {"detail": reason}, name))
    return Leg(None, updated=tuple(result.updated), failures=failures)


def conflict(registration: Registration, operation: str) -> Failure:
    """The source alone has it and cannot be asked for the operation: it is not contacted (5.6.1.4)."""
    detail = f"the registration {registration.id} has this data at its source, and not the operation {operation}"
    return Failure.of(NgsiLdError(ErrorType.CONFLICT, detail))


def unanswered(registration: Registration, why: Unanswered) -> Failure:
    """The source gave no answer: 508, 504 or 502 (6.3.17)."""
    detail = f"the source of {registration.id}: {why.text}"
    if why.reason == "timeout":
        detail += "; it may have taken what was sent to it all the same"
    return Failure.of(NgsiLdError(_UNANSWERED[why.reason], detail))


def looped(registration: Registration) -> Failure:
    """The request has come through the source, or through this broker, before."""
    return unanswered(registration, Unanswered("loop", "the request has come this way before"))


def refused(registration: Registration, answer: Answer) -> Failure:
    """The source answered with an error: 404 and 508 stand, all else is 502 where it is the only source (6.3.17)."""
    body = answer.body if isinstance(answer.body, dict) else {}
    told = [body[member] for member in ("detail", "title") if isinstance(body.get(member), str)]
    detail = f"the source of {registration.id} answered {answer.status}" + (f": {told[0]}" if told else "")
    error = NgsiLdError(_REFUSED.get(answer.status, ErrorType.BAD_GATEWAY), detail)
    problem = error.problem_details() | {"status": answer.status}
    return Failure(error, problem | {name: body[name] for name in ("type", "title") if isinstance(body.get(name), str)})


def told_by(registration: Registration, problem: dict[str, Any]) -> Failure:
    """What a source that did its part in part tells of the rest, the ProblemDetails of an error."""
    told = str(problem.get("detail") or problem.get("title") or "it gives no reason")
    error = NgsiLdError(ErrorType.BAD_GATEWAY, f"the source of {registration.id}: {told}")
    return Failure(error, error.problem_details() | problem)


def answered(registration: Registration, attributes: Iterable[str], answer: Answer) -> Leg:
    """What became of the part of a source by its answer; in part where that is 207."""
    names = tuple(attributes)
    if answer.status == MULTI_STATUS:
        return _in_part(registration, names, answer)
    if 200 <= answer.status < 300:
        return Leg(registration.id, names, updated=names, created=answer.status == CREATED)
    return failed(registration, names, refused(registration, answer))


def _in_part(registration: Registration, names: tuple[str, ...], answer: Answer) -> Leg:
    leg = Leg(registration.id, names)
    body = answer.body if isinstance(answer.body, dict) else {}
    errors = _objects(body.get("errors"))
    for entry in _objects(body.get("notUpdated")):
        name, reason = entry.get("attributeName"), entry.get("reason")
        if isinstance(name, str):
            failure = told_by(registration, {"detail": reason} if isinstance(reason, str) else {})
            leg.failures.append(replace(failure, attribute=answer.context.iri(name)))
    leg.failures += [told_by(registration, error) for error in _objects([one.get("error") for one in errors])]
    updated = body.get("updated")
    if isinstance(updated, list):
        leg.updated = [answer.context.iri(name) for name in updated if isinstance(name, str)]
    elif leg.failures:
        leg.succeeded = bool(body.get("success"))
    if not leg.failures:
        leg.failures.append(told_by(registration, {"detail": "it did a part, and did not say which"}))
    return leg


def _objects(value: Any) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def combined(entity_id: str, legs: Sequence[Leg], *, by_attribute: bool) -> dict[str, Any] | None:
    """The body of a 207 answer, None where all was done; raises the error where none was, for one reason.

    An UpdateResult `by_attribute`, otherwise a BatchOperationResult.
    """
    if is_complete(legs):
        return None
    if by_attribute:
        return _update_result(legs)
    success = [entity_id] if any(leg.succeeded for leg in legs) else []
    errors = [listed(entity_id, failure, leg) for leg in legs for failure in leg.failures]
    return {"success": success, "errors": errors}


def is_complete(legs: Sequence[Leg]) -> bool:
    """Whether all was done; raises the error where nothing was, for one reason."""
    failures = [failure for leg in legs for failure in leg.failures]
    if not failures:
        return True
    if not any(leg.succeeded for leg in legs):
        kinds = {failure.error.type if isinstance(failure.error, NgsiLdError) else None for failure in failures}
        if len(failures) == 1 or (len(kinds) == 1 and kinds <= _ONE_REASON):
            raise failures[0].error
    return False


def listed(entity_id: str, failure: Failure, leg: Leg) -> dict[str, Any]:
    """A BatchEntityError (5.2.17); without an entity where nobody knows which are concerned."""
    return ({"entityId": entity_id} if entity_id else {}) | {"error": failure.problem} | _by(leg)


def _update_result(legs: Sequence[Leg]) -> dict[str, Any]:
    not_updated = []
    for leg in legs:
        for failure in leg.failures:
            names = (failure.attribute,) if failure.attribute else (leg.attributes or (SCOPE,))
            not_updated += [{"attributeName": name, "reason": failure.reason} | _by(leg) for name in names]
    updated = dict.fromkeys([name for leg in legs for name in leg.updated])
    return {"updated": list(updated), "notUpdated": not_updated}


def _by(leg: Leg) -> dict[str, str]:
    return {"registrationId": leg.registration} if leg.registration else {}
