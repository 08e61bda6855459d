"""What the profiles send agrees with the data models: each attribute's name, kind and unit, and the samples' values."""

import pytest

import data_models
from adapters.check import examine
from adapters.definition import load, profiles
from adapters.mapping.template import kind_of
from data_models.attributes import ANY_UNIT, attributes
from data_models.checking import faults
from tests.adapters.profiles import FOLDER, definition_of


@pytest.fixture(params=profiles())
def profile(request):
    return request.param


def test_names_kinds_and_units(profile, adapter_file):
    definition = load(adapter_file(definition_of(profile)))

    for template in definition.entities.values():
        known = {attribute.term: attribute for attribute in attributes(template["type"]).values()}
        for name, spec in template["attributes"].items():
            spec = {"value": spec} if isinstance(spec, str) else spec
            unit = known[name].unit_code
            assert kind_of(spec) == known[name].kind, name
            assert spec.get("unit") == unit or unit == ANY_UNIT, f"{name}: {spec.get('unit')}, {unit} by the model"


def test_samples(profile, adapter_file):
    checked = examine(adapter_file(definition_of(profile)), FOLDER / profile / "samples")

    assert checked.entities
    assert not checked.failures
    for entity in checked.entities:
        assert entity["type"] in data_models.types()
        assert faults(entity, partial=True) == []


def test_a_readme_and_samples_for_each_profile(profile):
    readme = (FOLDER / profile / "README.md").read_text()

    assert readme.startswith(f"# {profile}: ")
    for heading in ("## What is lost",):
        assert heading in readme
    assert f"profile: {profile}" in readme
    assert f"[{profile}]({profile}/README.md)" in (FOLDER / "README.md").read_text()
