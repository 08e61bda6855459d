"""The ledger's marks: what tells one state of an entity from another."""

from beffroi.demo.ledger import Ledger, Page, mark, marks


def test_the_mark_is_the_newest_observation():
    entity = {
        "id": "urn:x:1",
        "type": "Streetlight",
        "name": {"type": "Property", "value": "LP-1", "observedAt": "2026-11-23T17:00:00Z"},
        "powerState": {"type": "Property", "value": "on", "observedAt": "2026-11-23T17:02:00.5Z"},
        "setIlluminanceLevel_status": {"type": "Property", "value": "OK", "observedAt": "2026-11-23T17:03:00Z"},
    }

    assert marks(entity) == ["2026-11-23T17:02:00.5Z"]


def test_where_the_vendor_says_no_time_a_value_is_a_mark_too():
    point = {"id": "urn:x:1", "type": "DeviceMeasurement", "numValue": {"type": "Property", "value": 20}}
    seen = {"type": "Property", "value": {"@type": "DateTime", "@value": "2026-11-23T17:02:00Z"}}

    assert marks(point) == ["", mark(20.0)]
    assert marks({"id": "urn:x:2", "sdmWifiNetwork:dateLastValueReported": seen}) == ["", "2026-11-23T17:02:00Z"]


def test_a_page_knows_every_pair_and_the_last_of_each_entity(tmp_path):
    with Ledger(tmp_path / "sent.ndjson", remember=True) as ledger:
        page = Page(ledger, remember=True)
        page.write_all([("urn:x:1", "a"), ("urn:x:2", "a")])
        page.write("urn:x:1", "b")

    assert page.last == {"urn:x:1": "b", "urn:x:2": "a"}
    assert page.pairs == {("urn:x:1", "a"), ("urn:x:2", "a"), ("urn:x:1", "b")}
    assert ledger.pairs == page.pairs | {("urn:x:1", ""), ("urn:x:2", "")}
    assert (tmp_path / "sent.ndjson").read_text().count("\n") == 3
