"""Whatever a vendor sends, a profile makes entities of it or says why not: no exception of another kind comes out."""

import contextlib
import copy
import io
import json

import orjson
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.decoding import Fault, open_decoder
from adapters.definition import load, profiles
from adapters.errors import DecodingError, MappingError
from adapters.mapping import Mapper
from adapters.validation import open_validator
from tests.adapters.profiles import FOLDER, definition_of

SAMPLE = (FOLDER / "datex2/samples/1-measured.xml").read_bytes()
SAMPLES = [(path.parts[-3], path.read_bytes()) for path in sorted(FOLDER.glob("*/samples/*"))]
MESSAGES = [(profile, json.loads(data)) for profile, data in SAMPLES if data[:1] in (b"{", b"[")]

JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
) | st.sampled_from([0, -1, 2**64, "1e999", "9" * 30, "", "Infinity", "1970-01-01T00:00:00Z", [], {}])


@pytest.fixture(scope="module")
def pipelines(tmp_path_factory):
    """By profile, what makes entities of a payload."""
    made = {}
    for profile in profiles():
        file = tmp_path_factory.mktemp(profile) / "test.yaml"
        file.write_text(yaml.safe_dump({**definition_of(profile), "broker": {"url": "http://localhost:1026"}}))
        made[profile] = _pipeline(load(file))
    return made


def _pipeline(definition):
    mapper = Mapper(definition)
    decoder = open_decoder(definition.format, "test")
    validate = open_validator("strict")

    def run(payload):
        entities = []
        try:
            for document in decoder.decode(io.BytesIO(payload), {}):
                if isinstance(document, Fault):
                    assert document.reason
                    continue
                with contextlib.suppress(MappingError):
                    for record in mapper.records(document):
                        with contextlib.suppress(MappingError):
                            entities += mapper.entities(record)
        except DecodingError:
            pass
        for entity in entities:
            validate(entity)
        return orjson.dumps(entities)

    return run


def places(value, path=()):
    """The paths of all the members in a JSON value."""
    yield path
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, member in members:
        yield from places(member, (*path, name))


def changed(value, path, junk):
    """A copy with something else at a path."""
    if not path:
        return junk
    value = copy.deepcopy(value)
    place = value
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = junk
    return value


CHANGES = [(profile, message, path) for profile, message in MESSAGES for path in places(message)]


@settings(max_examples=600, deadline=None)
@given(st.sampled_from(CHANGES), JUNK)
def test_a_member_that_is_something_else(pipelines, change, junk):
    profile, message, path = change
    pipelines[profile](json.dumps(changed(message, path, junk)).encode())


@settings(max_examples=600, deadline=None)
@given(st.sampled_from(SAMPLES), st.integers(min_value=0), st.binary(max_size=3))
def test_payloads_cut_and_damaged(pipelines, sample, at, damage):
    profile, payload = sample
    at %= len(payload)
    pipelines[profile](payload[:at])
    pipelines[profile](payload[:at] + damage + payload[at + 1 :])


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from([">870<", ">72.5<", ">12.5<", '"87"', ">2026-10-05T08:30:00.000+02:00<", '"MUC51.A1"', ">true<"]),
    st.text(st.characters(min_codepoint=32, max_codepoint=0x24F, exclude_characters='<>&"'), max_size=8)
    | st.sampled_from(["-1", "1e400", "9" * 400, "nan", "0x10"]),
)
def test_xml_values_that_are_something_else(pipelines, value, junk):
    pipelines["datex2"](SAMPLE.replace(value.encode(), (value[0] + junk + value[-1]).encode()))
