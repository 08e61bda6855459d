"""Changes: what each operation of 5.6 makes of an entity, and what it leaves alone."""

import pytest

from ngsi_ld import mutations
from ngsi_ld.context import CORE
from ngsi_ld.errors import NgsiLdError
from ngsi_ld.expansion import Fill, expand_attribute, expand_entity, expand_fragment, expand_simplified

THEN, NOW = "2026-11-23T10:00:00.000Z", "2026-11-23T11:00:00.000Z"
DEFAULT = "https://uri.etsi.org/ngsi-ld/default-context/"
A, B = f"{DEFAULT}a", f"{DEFAULT}b"


def stored(**members):
    return expand_entity({"id": "urn:x:1", "type": "Room", **members}, CORE, THEN)


def fragment(fill, **members):
    return expand_fragment(members, CORE, NOW, fill)


def shown(instance):
    return {member: value for member, value in instance.items() if member not in ("createdAt", "modifiedAt")}


def test_append_adds_and_replaces_and_keeps_creation_time():
    before = stored(a={"value": 1, "unitCode": "CEL"}, b=2)

    after, result = mutations.append(before, fragment(Fill.WHOLE, a=3, c=4, type="Office"), NOW)

    assert shown(after.attributes[A][0]) == {"type": "Property", "value": 3}
    assert (after.attributes[A][0]["createdAt"], after.attributes[A][0]["modifiedAt"]) == (THEN, NOW)
    assert after.attributes[B] is before.attributes[B]
    assert after.types == [f"{DEFAULT}Room", f"{DEFAULT}Office"]
    assert (after.created_at, after.modified_at) == (THEN, NOW)
    assert result.body() == {"updated": [A, f"{DEFAULT}c"], "notUpdated": []}


def test_append_without_overwriting():
    before = stored(a=1, scope="/A")

    after, result = mutations.append(before, fragment(Fill.WHOLE, a=3, scope="/B"), NOW, no_overwrite=True)

    assert after.attributes[A] is before.attributes[A]
    assert after.scope == ["/A", "/B"]
    assert [name for name, _ in result.not_updated] == [A]


def test_update_deletes_one_instance_and_says_what_is_not_there():
    before = stored(a=[{"value": 1}, {"value": 2, "datasetId": "urn:d:1"}])
    change = fragment(
        Fill.WHOLE_OR_NULL, a={"value": "urn:ngsi-ld:null", "datasetId": "urn:d:1"}, b="urn:ngsi-ld:null", scope="/A"
    )

    after, result = mutations.update(before, change, NOW)

    assert [shown(one) for one in after.attributes[A]] == [{"type": "Property", "value": 1}]
    assert [name for name, _ in result.not_updated] == [B, "https://uri.etsi.org/ngsi-ld/scope"]


def test_a_change_that_changes_nothing_is_the_entity_before():
    before = stored(a=1)

    assert mutations.update(before, fragment(Fill.WHOLE_OR_NULL, type="Room"), NOW)[0] is before


def test_partial_update_replaces_members_and_keeps_the_others():
    before = stored(temperature={"value": 25, "unitCode": "CEL", "observedAt": "2022-03-14T01:59:26.535Z"})
    name = f"{DEFAULT}temperature"
    (change,) = expand_attribute(
        "temperature",
        {"type": "Property", "value": 100, "observedAt": "2022-03-14T13:00:00.000Z"},
        CORE,
        NOW,
        Fill.PART,
    )

    after = mutations.partial_update(before, name, change, NOW)

    assert shown(after.attributes[name][0]) == {
        "type": "Property",
        "value": 100,
        "unitCode": "CEL",
        "observedAt": "2022-03-14T13:00:00.000Z",
    }


@pytest.mark.parametrize("null", [{"value": "urn:ngsi-ld:null"}, {"type": "Property", "value": "urn:ngsi-ld:null"}])
def test_partial_update_with_null_deletes_the_instance(null):
    (change,) = expand_attribute("a", null, CORE, NOW, Fill.PART)

    assert mutations.partial_update(stored(a=1), A, change, NOW).attributes == {}


def test_partial_update_removes_a_member_and_a_sub_attribute():
    before = stored(a={"value": 1, "unitCode": "CEL", "accuracy": 2})
    (change,) = expand_attribute(
        "a", {"unitCode": "urn:ngsi-ld:null", "accuracy": "urn:ngsi-ld:null"}, CORE, NOW, Fill.PART
    )

    after = mutations.partial_update(before, A, change, NOW)

    assert shown(after.attributes[A][0]) == {"type": "Property", "value": 1}


def test_partial_update_does_not_change_the_kind():
    (change,) = expand_attribute("a", {"type": "Relationship", "object": "urn:x:2"}, CORE, NOW, Fill.PART)

    with pytest.raises(NgsiLdError, match="is a Property and cannot be made a Relationship"):
        mutations.partial_update(stored(a=1), A, change, NOW)


def test_merge_goes_into_json_objects():
    before = stored(a={"value": {"street": "Straße des 17. Juni", "city": "Berlin", "country": "Germany"}})
    change = fragment(Fill.MERGE, a={"value": {"street": "Pariser Platz", "country": "urn:ngsi-ld:null"}})

    after = mutations.merge(before, change, NOW)

    assert after.attributes[A][0]["value"] == {"street": "Pariser Platz", "city": "Berlin"}


def test_merge_goes_into_sub_attributes():
    before = stored(a={"value": 1, "accuracy": {"value": 2, "unitCode": "P1"}, "by": "me"})
    change = fragment(Fill.MERGE, a={"accuracy": {"value": 3}, "by": "urn:ngsi-ld:null"})

    after = mutations.merge(before, change, NOW)

    (instance,) = after.attributes[A]
    assert instance["value"] == 1
    assert {name: shown(one) for name, (one,) in instance["subs"].items()} == {
        f"{DEFAULT}accuracy": {"type": "Property", "value": 3, "unitCode": "P1"}
    }


def test_merge_gives_the_common_time_to_what_had_one():
    before = stored(a={"value": 1, "observedAt": THEN}, b=2)

    after = mutations.merge(before, fragment(Fill.MERGE, a=3, b=4), NOW, observed_at="2026-11-23T10:30:00Z")

    assert after.attributes[A][0]["observedAt"] == "2026-11-23T10:30:00Z"
    assert "observedAt" not in after.attributes[B][0]


def test_merge_in_simplified_form_keeps_the_kinds():
    before = stored(
        a={"object": "urn:x:2"}, b={"languageMap": {"fr": "Mairie", "en": "Town hall"}}, c={"valueList": [1]}, d=1
    )
    change = expand_simplified({"a": "urn:x:3", "b": "Rathaus", "c": [2, 3], "d": "urn:ngsi-ld:null"}, CORE, NOW)

    after = mutations.merge(before, change, NOW, lang="de")

    assert shown(after.attributes[A][0]) == {"type": "Relationship", "object": "urn:x:3"}
    assert after.attributes[B][0]["languageMap"] == {"fr": "Mairie", "en": "Town hall", "de": "Rathaus"}
    assert after.attributes[f"{DEFAULT}c"][0]["valueList"] == [2, 3]
    assert f"{DEFAULT}d" not in after.attributes


def test_replace_keeps_the_time_of_creation_only():
    before = stored(a=1, b=2, scope="/A")
    new = expand_entity({"id": "urn:x:1", "type": "Office", "a": 5}, CORE, NOW)

    after = mutations.replace(before, new)

    assert (after.types, after.scope, list(after.attributes)) == ([f"{DEFAULT}Office"], [], [A])
    assert (after.created_at, after.modified_at) == (THEN, NOW)
    assert after.attributes[A][0]["createdAt"] == THEN


def test_delete_one_instance_or_all():
    before = stored(a=[{"value": 1}, {"value": 2, "datasetId": "urn:d:1"}])

    one = mutations.delete_attribute(before, A, None, NOW, all_instances=False)
    none = mutations.delete_attribute(before, A, None, NOW, all_instances=True)

    assert [one.get("datasetId") for one in one.attributes[A]] == ["urn:d:1"]
    assert none.attributes == {}
    with pytest.raises(NgsiLdError, match="urn:d:2"):
        mutations.delete_attribute(before, A, "urn:d:2", NOW, all_instances=False)


def test_the_entity_before_is_never_changed():
    before = stored(a={"value": {"x": 1}, "accuracy": 2}, b=1)
    copy = stored(a={"value": {"x": 1}, "accuracy": 2}, b=1)

    mutations.merge(before, fragment(Fill.MERGE, a={"value": {"x": 2}, "accuracy": 3}), NOW)
    mutations.update(before, fragment(Fill.WHOLE_OR_NULL, a="urn:ngsi-ld:null"), NOW)
    mutations.append(before, fragment(Fill.WHOLE, a=1), NOW)

    assert before == copy
