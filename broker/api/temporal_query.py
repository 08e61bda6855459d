"""What is asked of temporal evolutions, read from query parameters or from a Query body (6.18 to 6.22, 5.2.21)."""

from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import replace as with_
from typing import Any

from broker.api.query import query_of, view_of
from broker.api.query_body import parameters_of
from broker.api.request import Request
from broker.history.rows import SCOPE
from broker.operations.temporal import TemporalAsk
from broker.store.names import iri, key
from ngsi_ld.context import Context
from ngsi_ld.errors import bad_request_data, invalid_request
from ngsi_ld.query.query import Query
from ngsi_ld.representation import View
from ngsi_ld.temporal.aggregation import Aggregation, parse_methods
from ngsi_ld.temporal.durations import Duration, checked_zone, parse_duration
from ngsi_ld.temporal.query import parse_temporal_query
from ngsi_ld.temporal.representation import TemporalForm

TIME_PARAMETERS = frozenset({"timerel", "timeAt", "endTimeAt", "timeproperty", "lastN"})
AGGREGATION_PARAMETERS = frozenset({"aggrMethods", "aggrPeriodDuration", "timezone"})
TEMPORAL_VIEW_PARAMETERS = (
    TIME_PARAMETERS | AGGREGATION_PARAMETERS | {"attrs", "pick", "omit", "lang", "datasetId", "format", "options"}
)
"""How a temporal evolution is shown, and of which time."""

_FORMS = {form.value: form for form in TemporalForm}
TEMPORAL_OPTIONS = frozenset(_FORMS) | {"sysAttrs"}
"""The keywords of `options` where a temporal evolution is read."""
_TIME_MEMBERS = TIME_PARAMETERS | AGGREGATION_PARAMETERS


@dataclass(frozen=True, slots=True)
class TemporalReading:
    """A request to read temporal evolutions: what is asked, in which form, and how it is shown."""

    ask: TemporalAsk
    form: TemporalForm
    view: View
    aggregation: Aggregation | None


def reading_of(request: Request, parameters: Mapping[str, Any], context: Context, *, of_one: bool) -> TemporalReading:
    """What parameters state; `of_one` for the retrieval of one entity, which needs no interval and no selection."""
    settings = request.services.settings
    time = parse_temporal_query(
        timerel=parameters.get("timerel"),
        time_at=parameters.get("timeAt"),
        end_time_at=parameters.get("endTimeAt"),
        timeproperty=parameters.get("timeproperty"),
        last_n=parameters.get("lastN"),
        required=not of_one,
    )
    form, sys_attrs = _form(parameters)
    aggregation = _aggregation(parameters) if form is TemporalForm.AGGREGATED_VALUES else None
    shown = {name: value for name, value in parameters.items() if name not in ("format", "options")}
    view = with_(view_of(request, shown, context), sys_attrs=sys_attrs)
    most = settings.max_temporal_instances
    ask = TemporalAsk(
        query=Query() if of_one else query_of(shown, context),
        time=time,
        shows=lambda name: _shows(view, name),
        required=None if view.attributes is None else frozenset(map(key, view.attributes)),
        datasets=None if view.dataset_ids is None else frozenset(view.dataset_ids),
        limit=most if time.last_n is None else min(time.last_n, most),
        descending=_descending(parameters),
        rows_too=aggregation is None,
        aggregated=aggregation is not None,
    )
    return TemporalReading(ask, form, view, aggregation)


def body_parameters(body: Any) -> dict[str, Any]:
    """The members of a Query with `temporalQ` and `aggrParams` as the parameters that they correspond to."""
    if not isinstance(body, dict):
        raise invalid_request("the body must be one JSON object, a Query")
    rest = dict(body)
    temporal, aggregation = rest.pop("temporalQ", None), rest.pop("aggrParams", None)
    parameters = parameters_of(rest)
    if temporal is None:
        raise bad_request_data("temporalQ is missing: say which time is asked for (5.7.4)")
    parameters |= _object(temporal, "temporalQ", _TIME_MEMBERS)
    if aggregation is not None:
        parameters |= _object(aggregation, "aggrParams", AGGREGATION_PARAMETERS)
    return parameters


def _object(value: Any, member: str, known: frozenset[str]) -> dict[str, Any]:
    if not isinstance(value, dict) or not value.keys() <= known:
        raise bad_request_data(f"{member} must be an object with members of {', '.join(sorted(known))}")
    return value


def _form(parameters: Mapping[str, Any]) -> tuple[TemporalForm, bool]:
    words = parameters.get("options", frozenset())
    named = parameters.get("format")
    if named is None:
        forms = words & _FORMS.keys()
        if len(forms) > 1:
            raise invalid_request(f"options asks for several forms, {', '.join(sorted(forms))}; ask for one")
        default = "aggregatedValues" if "aggrMethods" in parameters and not words else "normalized"
        named = next(iter(forms), default)
    if named not in _FORMS:
        raise invalid_request(f"format must be one of {', '.join(_FORMS)}, not {named!r}")
    return _FORMS[named], "sysAttrs" in words


def _aggregation(parameters: Mapping[str, Any]) -> Aggregation:
    if "aggrMethods" not in parameters:
        raise bad_request_data("aggregatedValues needs aggrMethods: say what is to be computed, such as avg,max")
    duration = Duration()
    if "aggrPeriodDuration" in parameters:
        given = parameters["aggrPeriodDuration"]
        if not isinstance(given, str):
            raise bad_request_data(f"aggrPeriodDuration must be an ISO 8601 duration such as PT1H, not {given!r}")
        duration = parse_duration(given, "aggrPeriodDuration")
    zone = parameters.get("timezone")
    if zone is not None and not isinstance(zone, str):
        raise bad_request_data(f"timezone must be a text such as Europe/Paris, not {zone!r}")
    return Aggregation(
        parse_methods(parameters["aggrMethods"]), duration, None if zone is None else checked_zone(zone, "timezone")
    )


def _descending(parameters: Mapping[str, Any]) -> bool:
    if "orderBy" not in parameters:
        return False
    given = parameters["orderBy"]
    text = given if isinstance(given, str) else ",".join(given)
    if text not in ("id", "id;asc", "id;desc"):
        raise bad_request_data(f"orderBy can only be id, or id;desc, where a temporal evolution is asked for: {text!r}")
    return text == "id;desc"


def _shows(view: View, name: str) -> bool:
    """Whether the view shows the series with this KEY."""
    member = "scope" if name == SCOPE else iri(name)
    if view.attributes is not None and member != "scope" and member not in view.attributes:
        return False
    return (view.pick is None or member in view.pick) and (view.omit is None or member not in view.omit)
