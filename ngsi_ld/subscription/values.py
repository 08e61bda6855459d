"""What members of a subscription may hold: one function each, which returns the value or names the member at fault."""

from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeVar

from ngsi_ld.errors import bad_request_data
from ngsi_ld.names import Names, checked_name

T = TypeVar("T")

_LARGEST = 1e9
_SHOWN = 80


class Vocabulary:
    """The names that a member uses, with their IRIs: what makes it readable again without the @context it came with.

    Read with an @context it learns the names; later it answers for them alone, and an IRI stays itself.
    """

    __slots__ = ("_names", "learnt")

    def __init__(self, learnt: Mapping[str, str], names: Names | None = None) -> None:
        self.learnt = dict(learnt)
        self._names = names

    def iri(self, name: str) -> str:
        """The IRI of a name."""
        known = self.learnt.get(name)
        if known is not None:
            return known
        if self._names is None:
            return name
        iri = self._names.iri(name)
        if iri != name:
            self.learnt[name] = iri
        return iri

    def term(self, iri: str) -> str:
        """The IRI itself: nothing is rendered with it."""
        return iri


def text(value: Any, where: str) -> str:
    """A text that is not empty."""
    if isinstance(value, str) and value:
        return value
    raise bad_request_data(f"{where} must be a text that is not empty, not {shown(value)}")


def boolean(value: Any, where: str) -> bool:
    """true or false."""
    if isinstance(value, bool):
        return value
    raise bad_request_data(f"{where} must be true or false, not {shown(value)}")


def positive(value: Any, where: str) -> float:
    """A number greater than 0."""
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < _LARGEST:
        return float(value)
    raise bad_request_data(f"{where} must be a number greater than 0, not {shown(value)}")


def one_of(value: Any, allowed: Collection[str], where: str) -> str:
    """One of the texts that are allowed."""
    if isinstance(value, str) and value in allowed:
        return value
    raise bad_request_data(f"{where} must be one of {', '.join(allowed)}, not {shown(value)}")


def array(value: Any, where: str, one: Callable[[Any, str], T]) -> tuple[T, ...]:
    """An array that is not empty, each element checked."""
    if isinstance(value, list) and value:
        return tuple(one(element, f"{where}[{index}]") for index, element in enumerate(value))
    raise bad_request_data(f"{where} must be an array that is not empty, not {shown(value)}")


def members(value: Any, where: str, allowed: Collection[str]) -> dict[str, Any]:
    """An object with no other members than these; what begins with _ is private to the client and left out."""
    if not isinstance(value, dict):
        raise bad_request_data(f"{where} must be an object, not {shown(value)}")
    for name in value:
        if name not in allowed and not name.startswith("_"):
            raise bad_request_data(f"{where} cannot have a member {shown(name)}; it can have {', '.join(allowed)}")
    return {name: member for name, member in value.items() if name in allowed}


def name_list(value: Any, where: str, names: Names) -> frozenset[str]:
    """The IRIs of names in one text, separated by commas, as `expandValues` has them."""
    return frozenset(names.iri(checked_name(name.strip(), where)) for name in text(value, where).split(","))


def shown(value: Any) -> str:
    """A value as it is quoted in a message: not too long."""
    quoted = repr(value)
    return quoted if len(quoted) <= _SHOWN else quoted[: _SHOWN - 3] + "..."
