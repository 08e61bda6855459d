"""Names for tests of the query languages."""

import pytest

from ngsi_ld.context import CORE


class Example:
    """Short names are in https://example.org/; IRIs stay themselves."""

    def iri(self, name):
        return name if ":" in name else f"https://example.org/{name}"

    def term(self, iri):
        return iri.removeprefix("https://example.org/")


@pytest.fixture(scope="session")
def names():
    return Example()


@pytest.fixture(scope="session")
def core():
    return CORE


@pytest.fixture(scope="session")
def now():
    return "2026-11-23T17:02:01.250Z"
