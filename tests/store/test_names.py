"""Names of clients as MongoDB field names: no path, no operator, and back exactly."""

from hypothesis import given
from hypothesis import strategies as st

from broker.store.names import iri, key


def test_escapes():
    assert key("https://example.org/a%20b") == "https://example%2Eorg/a%2520b"
    assert key("$where") == "%24where"
    assert key("a.$b\0") == "a%2E%24b%00"


@given(st.text(alphabet=st.sampled_from("%.$\0a25E40é"), max_size=12))
def test_there_and_back(name):
    assert iri(key(name)) == name
    assert not set(key(name)) & {".", "$", "\0"}
