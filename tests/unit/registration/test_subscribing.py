"""What a change of a registration is to a subscription (GS CIM 009 v1.9.1, 5.11.2.4, 5.11.7, 5.3.3)."""

import pytest

from ngsi_ld.context import CORE
from ngsi_ld.errors import NgsiLdError
from ngsi_ld.registration.changes import new_registration
from ngsi_ld.registration.subscribing import TriggerReason, sought, told
from ngsi_ld.subscription import new_subscription

NOW = "2026-11-23T07:00:00.000Z"


def subscription(to_registrations=True, endpoint=None, notification=None, **members):
    body = {
        "type": "Subscription",
        "entities": [{"type": "Streetlight"}],
        "notification": {"endpoint": {"uri": "http://a/notify"} | (endpoint or {})} | (notification or {}),
    }
    given = {name: value for name, value in (body | members).items() if value is not ...}
    return new_subscription(given, CORE, "", NOW, "urn:s", to_registrations=to_registrations)


def registration(*information, **members):
    body = {"type": "ContextSourceRegistration", "endpoint": "http://b", "information": list(information)}
    return new_registration(body | members, CORE, "", NOW, "urn:r")


LIGHTS = registration({"entities": [{"type": "Building"}]}, {"entities": [{"type": "Streetlight"}]})
BUILDINGS = registration({"entities": [{"type": "Building"}]})


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        (None, LIGHTS, TriggerReason.NEWLY_MATCHING),
        (BUILDINGS, LIGHTS, TriggerReason.NEWLY_MATCHING),
        (LIGHTS, LIGHTS, TriggerReason.UPDATED),
        (LIGHTS, BUILDINGS, TriggerReason.NO_LONGER_MATCHING),
        (LIGHTS, None, TriggerReason.NO_LONGER_MATCHING),
        (None, BUILDINGS, None),
        (BUILDINGS, BUILDINGS, None),
        (BUILDINGS, None, None),
    ],
)
def test_why_a_subscriber_is_told(before, after, reason):
    found = told(before, after, sought(subscription()))

    assert found is None if reason is None else found[0] is reason
    if found is not None:
        assert found[1].positions == (1,)


def test_what_expires_goes():
    one = registration({"entities": [{"type": "Streetlight"}]}, expiresAt="2026-11-23T07:00:01Z")

    assert told(one, None, sought(subscription()))[0] is TriggerReason.NO_LONGER_MATCHING


def test_any_of_several_selectors_will_do():
    both = subscription(entities=[{"type": "Building"}, {"type": "Streetlight"}])

    assert told(None, LIGHTS, sought(both))[1].positions == (0, 1)


@pytest.mark.parametrize(
    ("watched", "notified", "matches"),
    [
        (["a"], ["b"], True),
        (["a"], ["c"], True),
        (["c"], ["d"], False),
        (["c"], None, True),
        (..., ["c"], True),
    ],
)
def test_attributes_count_where_both_the_watched_and_the_notified_are_told(watched, notified, matches):
    one = registration({"entities": [{"type": "Streetlight"}], "propertyNames": ["a"], "relationshipNames": ["b"]})
    to = subscription(watchedAttributes=watched, notification={"attributes": notified} if notified else None)

    assert (told(None, one, sought(to)) is not None) is matches


def test_place_scope_time_and_properties():
    here = registration(
        {"entities": [{"type": "Streetlight"}]},
        location={"type": "Point", "coordinates": [4.36, 48.95]},
        scope="/Chalons",
        level=3,
    )
    past = registration(
        {"entities": [{"type": "Streetlight"}]}, observationInterval={"startAt": "2025-01-01T00:00:00Z"}
    )
    near = {"georel": "near;maxDistance==10", "geometry": "Point", "coordinates": [4.36, 48.95]}
    then = {"timerel": "after", "timeAt": "2025-06-01T00:00:00Z"}

    assert told(None, here, sought(subscription(geoQ=near, scopeQ="/Chalons", csf="level==3")))
    assert not told(None, here, sought(subscription(csf="level==4")))
    assert not told(None, here, sought(subscription(scopeQ="/Reims")))
    assert not told(None, here, sought(subscription(temporalQ=then)))
    assert told(None, past, sought(subscription(temporalQ=then)))
    assert not told(None, past, sought(subscription()))


@pytest.mark.parametrize(
    ("members", "detail"),
    [
        ({"endpoint": {"accept": "application/geo+json"}}, "registrations are no features"),
        ({"endpoint": {"uri": "sse:events"}}, "for subscriptions to entities only"),
        ({"temporalQ": {"timerel": "after"}}, "needs timeAt"),
        ({"temporalQ": {}}, "timerel and timeAt are missing"),
        ({"temporalQ": {"timerel": "near", "timeAt": NOW}}, "timerel must be one of"),
        ({"csf": "level=="}, "csf is wrong"),
        ({"entities": ...}, "must have entities or watchedAttributes"),
    ],
)
def test_what_is_refused(members, detail):
    with pytest.raises(NgsiLdError) as caught:
        subscription(**members)

    assert detail in caught.value.detail


def test_what_is_for_registrations_only():
    with pytest.raises(NgsiLdError, match="temporalQ is for subscriptions to context source registrations only"):
        subscription(to_registrations=False, temporalQ={"timerel": "after", "timeAt": NOW})
