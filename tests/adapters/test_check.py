"""`beffroi adapter check`: what an adapter would send, or the expression and the record that fail."""

import io
import json

import pytest

from adapters.check import main as check

COUNTER = {"id": "urn:ngsi-ld:Thing:{name}", "type": "Thing", "attributes": {"n": {"value": "n", "type": "number"}}}


def test_check_shows_the_entities_and_what_fails(adapter_file, tmp_path):
    file = adapter_file({"source": {"kind": "webhook", "port": 1}, "entities": {"counter": COUNTER}})
    sample = tmp_path / "sample.json"
    sample.write_text(json.dumps([{"name": "1", "n": 1}, {"name": "2", "n": "x"}]))
    out, err = io.StringIO(), io.StringIO()

    code = check(file, sample, out, err)

    assert code == 1
    assert json.loads(out.getvalue())["n"] == {"type": "Property", "value": 1}
    assert err.getvalue().splitlines() == [
        "entities.counter.n (n): 'x' is not a number",
        '  in the record {"name":"2","n":"x"}',
        "2 records, 1 entities, 1 failures",
    ]


@pytest.mark.parametrize(
    ("profile", "counts"),
    [
        ("talq", "7 records, 7 entities, 0 failures"),
        ("datex2", "4 records, 4 entities, 0 failures"),
        ("chirpstack", "4 records, 7 entities, 0 failures"),
    ],
)
def test_check_maps_the_samples_of_a_profile(adapter_file, profile, counts):
    file = adapter_file({"profile": profile, "settings": {"site": "chalons"}, "validate": "strict"})
    out, err = io.StringIO(), io.StringIO()

    code = check(file, None, out, err)

    assert (code, err.getvalue().splitlines()) == (0, [counts])


def test_check_of_a_file_that_is_not_right(adapter_file):
    err = io.StringIO()

    code = check(adapter_file({"profile": "talq"}), None, io.StringIO(), err)

    assert code == 1
    assert err.getvalue().endswith("settings.site: is missing; the profile talq needs it\n")
