"""What the query languages share: a cursor over the text, errors that show the place, limits."""

from dataclasses import dataclass
from typing import NoReturn

from ngsi_ld.errors import bad_request_data
from ngsi_ld.names import Names


@dataclass(frozen=True, slots=True)
class Limits:
    """How large one expression of a query language may be: characters, nested parentheses, terms and listed values."""

    length: int = 16384
    depth: int = 32
    terms: int = 500
    pattern: int = 512


DEFAULT_LIMITS = Limits()


def is_text(text: str) -> bool:
    """Whether it can be stored and sent: no half of a surrogate pair, which Python texts can hold and UTF-8 cannot."""
    return text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text)


class Same:
    """A context as part of a cache key: the same object is the same key, whatever its own equality costs."""

    __slots__ = ("names",)

    def __init__(self, names: Names) -> None:
        self.names = names

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Same) and self.names is other.names

    def __hash__(self) -> int:
        return id(self.names)


class Cursor:
    """A position in the text of `parameter`; spaces between tokens do not count."""

    __slots__ = ("limits", "parameter", "position", "terms", "text")

    def __init__(self, text: str, parameter: str, limits: Limits) -> None:
        if len(text) > limits.length:
            raise bad_request_data(f"{parameter} has {len(text)} characters; at most {limits.length} are allowed")
        if not is_text(text):
            raise bad_request_data(f"{parameter} is not valid UTF-8")
        self.text = text
        self.parameter = parameter
        self.limits = limits
        self.position = 0
        self.terms = 0

    def skip_spaces(self) -> None:
        """Move on to the next character that is not a space."""
        text, position = self.text, self.position
        while text.startswith(" ", position):
            position += 1
        self.position = position

    @property
    def ended(self) -> bool:
        """Whether nothing is left."""
        return self.position >= len(self.text)

    def take(self, token: str) -> bool:
        """Whether `token` is next; if so it is passed."""
        self.skip_spaces()
        if self.text.startswith(token, self.position):
            self.position += len(token)
            return True
        return False

    def take_any(self, characters: str) -> str:
        """The next character if it is one of these, and it is passed; else an empty text."""
        self.skip_spaces()
        if self.position < len(self.text) and self.text[self.position] in characters:
            self.position += 1
            return self.text[self.position - 1]
        return ""

    def expect(self, token: str, why: str) -> None:
        """Pass `token` or fail."""
        if not self.take(token):
            self.fail(f"{token} {why}")

    def count(self, depth: int) -> None:
        """Count one more term, at this depth of parentheses, against the limits."""
        self.terms += 1
        if self.terms > self.limits.terms:
            raise bad_request_data(f"{self.parameter} has more than {self.limits.terms} terms")
        if depth > self.limits.depth:
            raise bad_request_data(f"{self.parameter} nests more than {self.limits.depth} levels deep")

    def expect_end(self, expected: str) -> None:
        """Fail unless all is read."""
        self.skip_spaces()
        if not self.ended:
            self.fail(expected)

    def fail(self, expected: str, position: int | None = None) -> NoReturn:
        """Raise BadRequestData that says where in the text and what was expected there."""
        at = self.position if position is None else position
        found = repr(self.text[at : at + 20]) if at < len(self.text) else "the end"
        before = self.text[max(0, at - 20) : at]
        after = f" after {before!r}" if before else ""
        raise bad_request_data(
            f"{self.parameter} is wrong at character {at + 1}{after}: expected {expected}, found {found}"
        )
