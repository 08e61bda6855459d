"""Entities against the JSON Schema of their model (data_models), before they are queued.

An adapter sends fragments (what a record speaks of), so what a model requires may be missing from them.
"""

from collections.abc import Callable
from typing import Any

import data_models
from data_models.checking import simplified
from data_models.validation import problems

Validator = Callable[[dict[str, Any]], str | None]
"""From a normalized entity to what is wrong with it, in one line; None where nothing is."""


def open_validator(mode: str) -> Validator:
    """The validator of a definition's `validate`: `strict` and `warn` look, `off` does not."""
    return no_validation if mode == "off" else against_model


def no_validation(entity: dict[str, Any]) -> str | None:
    """The mode `off`."""
    return None


def against_model(entity: dict[str, Any]) -> str | None:
    """What the entity's model says against it; types without a model pass."""
    if entity["type"] not in data_models.types():
        return None
    found = problems(simplified(entity), partial=True)
    return f"{entity['id']}: {'; '.join(found)}" if found else None
