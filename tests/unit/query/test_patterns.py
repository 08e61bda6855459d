"""Regular expressions: IEEE 1003.2 as far as it cannot explode (4.9 RegExp, idPattern)."""

import time

import pytest

from ngsi_ld.errors import NgsiLdError
from ngsi_ld.query import parse_pattern
from ngsi_ld.query.syntax import Limits

FOUND = [
    ("^Eif.*", "Eiffel Tower"),
    ("a$", "ba"),
    ("^$", ""),
    ("x|yz", "ayz"),
    ("[[:digit:]]{2,3}$", "a12"),
    ("^(ab|cd)+$", "abcdab"),
    (r"\d+\.\d", "v1.5"),
    ("[]a]", "]"),
    ("[a-]", "-"),
    ("[^a]", "b"),
    ("^.$", "\n"),
    ("^.$", "é"),
    ("(^a|b)$", "xb"),
    ("a{0}b", "b"),
    ("^a{2}$", "aa"),
    ("^urn:ngsi-ld:Streetlight:(?:Chalons|Reims):[0-9]{4}$", "urn:ngsi-ld:Streetlight:Reims:0042"),
    (r"\w+\s\W", "Tour !"),
]
NOT_FOUND = [
    ("^Eif", "xEif"),
    ("a$", "a\n"),
    ("^$", "a"),
    ("[^a-c]", "abc"),
    ("a|^b", "cb"),
    ("^a{2}$", "aaa"),
    (r"\d", "٣"),
    ("A", "a"),
]


@pytest.mark.parametrize(("pattern", "text"), FOUND)
def test_found(pattern, text):
    assert parse_pattern(pattern, "q").search(text)


@pytest.mark.parametrize(("pattern", "text"), NOT_FOUND)
def test_not_found(pattern, text):
    assert not parse_pattern(pattern, "q").search(text)


REFUSED = {
    "(a+)+": "another repetition",
    "(a|a)*": "begin with different characters",
    "(a|ab)*": "begin with different characters",
    "(a?)*": "another repetition",
    "(x|(y|yz))+": "begin with different characters",
    "a**": "a repetition of a repetition",
    "a+?": "a repetition of a repetition",
    "*a": "nothing before it to repeat",
    "(^)*": "an anchor",
    "(": "a ) is missing",
    ")": "a ) without its (",
    "[a": "a ] is missing",
    "[z-a]": "from a lower to a higher",
    "[[:vowel:]]": "a class is one of",
    "(?=a)": "look-around",
    "(?i)a": "look-around, flags",
    r"(a)\1": "not supported",
    r"\bword": "not supported",
    "\\": "ends with a single",
    "a{2": "a repetition is",
    "a{3,2}": "lower to the higher",
    "a{300}": "at most 255",
    "((a{200}){200}){200}": "too large once its repetitions",
    "\0": "a character that no text can have",
    "\ud800": "a character that no text can have",
}


@pytest.mark.parametrize("pattern", REFUSED)
def test_refused(pattern):
    with pytest.raises(NgsiLdError) as refused:
        parse_pattern(pattern, "idPattern")

    assert "idPattern" in refused.value.detail
    assert REFUSED[pattern] in refused.value.detail


def test_time_is_proportional_to_the_text():
    hard = parse_pattern(".*a.*b.*c.*d.*e$", "q")

    started = time.perf_counter()
    assert not hard.search("abcd" * 100_000)
    assert time.perf_counter() - started < 2


def test_many_states_do_not_pile_up():
    wide = parse_pattern("a.{12}$", "q")

    for number in range(400):
        assert wide.search(f"{number:b}".replace("1", "a").rjust(40, "b") + "a" + "b" * 12)


def test_the_length_is_bounded():
    with pytest.raises(NgsiLdError, match="longer than 4 characters"):
        parse_pattern("abcde", "q", Limits(pattern=4))
