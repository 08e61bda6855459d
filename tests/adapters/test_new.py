"""`beffroi adapter new`: from a vendor's sample to an adapter that maps it."""

import io
import json

import pytest
import yaml

from adapters.check import examine
from adapters.errors import AdapterError
from adapters.new import begin, main

BINS = "bin_id;fill level;measured_at;lat;lon;Volts\nB-1;12,5;2026-11-20 10:00:00;48.95;4.36;3,6\n"
GARDEN = {"items": [{"serial": "x9", "soil": {"temp": 9.5}, "open": True, "when": {"time": "2026-11-20T10:00:00Z"}}]}
XML = (
    '<a:feed xmlns:a="urn:x"><a:head/><a:p n="1"><a:code>P1</a:code><a:v>3</a:v></a:p>'
    '<a:p n="2"><a:code>P2</a:code></a:p></a:feed>'
)


@pytest.mark.parametrize(
    ("text", "ids", "attributes"),
    [
        (BINS, ["urn:ngsi-ld:Thing:chalons-B-1"], {"location", "fillLevel", "volts"}),
        (json.dumps(GARDEN), ["urn:ngsi-ld:Thing:chalons-x9"], {"temp", "open"}),
        (
            '{"id": 1, "v": 2}\n{"id": 2, "v": 3}\n',
            ["urn:ngsi-ld:Thing:chalons-1", "urn:ngsi-ld:Thing:chalons-2"],
            {"v"},
        ),
        (XML, ["urn:ngsi-ld:Thing:chalons-P1", "urn:ngsi-ld:Thing:chalons-P2"], {"v", "n"}),
    ],
)
def test_a_first_mapping_runs(tmp_path, text, ids, attributes):
    sample = tmp_path / "sample.txt"
    sample.write_text(text)

    folder = begin("thing", sample, "", tmp_path)

    checked = examine(folder / "adapter.yaml", folder / "samples")
    assert not checked.failures
    assert [entity["id"] for entity in checked.entities] == ids
    assert checked.entities[0].keys() == {"id", "type"} | attributes
    assert (folder / "README.md").read_text().startswith("# thing\n")


def test_local_times_and_decimal_commas_are_seen(tmp_path):
    (tmp_path / "bins.csv").write_text(BINS)

    folder = begin("bins", tmp_path / "bins.csv", "", tmp_path)

    entity = examine(folder / "adapter.yaml", folder / "samples").entities[0]
    assert entity["fillLevel"] == {"type": "Property", "value": 12.5, "observedAt": "2026-11-20T09:00:00Z"}
    assert entity["location"]["value"]["coordinates"] == [4.36, 48.95]


def test_a_model_gives_names_and_units(tmp_path):
    (tmp_path / "s.json").write_text('{"ref": "1", "RSSI": -90, "batteryLevel": 0.5, "serialNumber": "7"}')

    folder = begin("probe", tmp_path / "s.json", "StreetlightControlCabinet", tmp_path)
    other = begin("probe2", tmp_path / "s.json", "Device", tmp_path)

    cabinet = yaml.safe_load((folder / "adapter.yaml").read_text())["entities"]["record"]["attributes"]
    device = yaml.safe_load((other / "adapter.yaml").read_text())["entities"]["record"]["attributes"]
    assert "sdmStreetlighting:serialNumber" in cabinet or "serialNumber" not in cabinet
    assert device["rssi"] == {"value": "RSSI", "type": "number", "unit": "DBM"}


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("Bad-Name", "{}", "must be small letters"),
        ("ok", "", "is empty"),
        ("ok", "{}", "nothing that could name it"),
        ("ok", "[1]", "must be an object"),
        ("ok", "<a><b></a>", "not well-formed XML"),
    ],
)
def test_what_cannot_be_begun(tmp_path, name, text, reason):
    sample = tmp_path / "sample"
    sample.write_text(text)

    with pytest.raises(AdapterError, match=reason):
        begin(name, sample, "", tmp_path)

    assert list(tmp_path.iterdir()) == [sample]


def test_nothing_is_written_over(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "s.json").write_text('{"id": 1, "v": 2}')
    out, err = io.StringIO(), io.StringIO()

    codes = [main("mine", tmp_path / "s.json", "", out, err) for _ in range(2)]

    assert codes == [0, 1]
    assert "makes 1 entities of 1 records" in out.getvalue()
    assert err.getvalue() == "mine is there already; choose another name\n"
