"""Members that a JSON text has twice: found exactly, whatever stands in its strings."""

import json

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from broker.api.doubled import doubled_member

CHARACTERS = ["a", "b", ":", ",", "{", "}", '"', "\\", "\n", "\x7f", "é", "\U0001f514"]


def written(character, escaped):
    if escaped:
        units = character.encode("utf-16-be")
        return "".join(f"\\u{units[at]:02x}{units[at + 1]:02X}" for at in range(0, len(units), 2))
    return json.dumps(character, ensure_ascii=False)[1:-1]


strings = st.lists(st.builds(written, st.sampled_from(CHARACTERS), st.booleans()), max_size=4).map(
    lambda parts: f'"{"".join(parts)}"'
)
spaces = st.sampled_from(["", "", " ", "\n\t"])


def containers(values):
    members = st.builds(
        lambda name, before, after, value: f"{name}{before}:{after}{value}", strings, spaces, spaces, values
    )
    return st.one_of(
        st.lists(values, max_size=3).map(lambda items: f"[{','.join(items)}]"),
        st.lists(members, max_size=4).map(lambda items: f"{{{','.join(items)}}}"),
    )


texts = st.recursive(st.one_of(strings, st.sampled_from(["null", "true", "1", "-2.5e3", str(2**64)])), containers)


def is_doubled(text):
    found = []
    json.loads(text, object_pairs_hook=lambda pairs: found.append(len({name for name, _ in pairs}) < len(pairs)))
    return any(found)


@settings(max_examples=2000, deadline=None)
@given(texts)
@example(r'{"a": "\\", "b": "\\\"", "c": "\u0022"}')
@example(r'{"\"": 1, "\u0022": 2}')
def test_exactly_what_a_parser_that_keeps_pairs_sees(text):
    body = text.encode()

    assert (doubled_member(body, orjson.loads(body)) is not None) is is_doubled(text)


@pytest.mark.parametrize(
    ("body", "name"),
    [
        (b'{"a": 1, "a": 1}', "a"),
        (b'{"a": {"\\u0061": 1, "a": 2}}', "a"),
        (b'[{"b": {"c": 1, "d": {}, "c": "\\\\"}, "e": 1e2}]', "c"),
        (b'{"": 1, "": 2}', ""),
        (b'{"a": [{"a": 1}, {"a": 1}], "b": "\\"a\\": 1, \\"a\\": 2"}', None),
    ],
)
def test_the_member_is_named(body, name):
    assert doubled_member(body, orjson.loads(body)) == name
