"""The NGSI-LD server: API, operations, store on MongoDB, change log, notifications."""

from importlib import metadata


def version() -> str:
    """The version of the installed distribution."""
    return metadata.version("beffroi")
