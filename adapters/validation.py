"""Entities against the JSON Schema of their model (data_models), before they are queued."""

from collections.abc import Callable
from typing import Any

Validator = Callable[[dict[str, Any]], str | None]
"""From a normalized entity to what is wrong with it, in one sentence; None where nothing is."""


def no_validation(entity: dict[str, Any]) -> str | None:
    """The mode `off`."""
    return None


def open_validator(mode: str) -> Validator:
    """The validator of a definition's `validate`: strict, warn or off."""
    return no_validation
