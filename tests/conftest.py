"""What tests of every kind share: one real MongoDB for the whole session."""

import tempfile

import pytest

from broker.embedded import EmbeddedMongo


@pytest.fixture(scope="session")
async def mongo_uri():
    """The URI of a replica set of one, empty at the start of the session."""
    with tempfile.TemporaryDirectory(prefix="beffroi-tests-") as directory:
        async with EmbeddedMongo(directory, cache_gb=0.25) as uri:
            yield uri
