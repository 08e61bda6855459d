"""Date-times, dates and times as `q` compares them (4.6.3, 4.9): texts of three forms, ordered by what they mean.

`2026-11-23T17:02:00Z`, `2026-11-23T17:02:00.0Z` and `2026-11-23T17:02:00.000000Z` are equal; the order of the texts is
the order of the instants but for fractions of a second: `…:00.5Z` sorts before `…:00Z`. An `Instant` knows both, its
`key` for memory and the pieces from which a database condition on the stored text is made.
"""

import re
from dataclasses import dataclass
from typing import Any

_FORMS = {
    "DateTime": r"[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-6][0-9](?:[.][0-9]{1,6})?Z",
    "Date": r"[0-9]{4}-[01][0-9]-[0-3][0-9]",
    "Time": r"[0-2][0-9]:[0-5][0-9]:[0-6][0-9](?:[.][0-9]{1,6})?Z",
}

FORMS = {name: re.compile(form) for name, form in _FORMS.items()}
"""The three forms; a text that has none of them is an ordinary text."""

PCRE_FORMS = {name: f"^{form}\\z" for name, form in _FORMS.items()}
"""The same for a database."""

_FRACTION = 6


@dataclass(frozen=True, slots=True)
class Instant:
    """A date-time, date or time: its form, its text before fraction and Z, and the fraction's digits, no zeros last."""

    form: str
    base: str
    fraction: str

    @property
    def key(self) -> str:
        """Instants of one form are ordered as their keys are."""
        return f"{self.base}.{self.fraction}" if self.fraction else self.base

    def equal_texts(self) -> list[str]:
        """Every text that means this instant."""
        if self.form == "Date":
            return [self.base]
        texts = [] if self.fraction else [f"{self.base}Z"]
        least = max(len(self.fraction), 1)
        return texts + [f"{self.base}.{self.fraction.ljust(digits, '0')}Z" for digits in range(least, _FRACTION + 1)]

    def earlier_texts_sorted_later(self) -> list[str]:
        """Texts of earlier instants that do not sort before `key`, since their Z sorts after digits."""
        if not self.fraction:
            return []
        return [f"{self.base}Z"] + [f"{self.base}.{self.fraction[:digits]}Z" for digits in range(1, len(self.fraction))]


def parse_instant(text: str) -> Instant | None:
    """The instant that a text means, or None; a comma for the fraction is taken as well (4.6.3, requests)."""
    text = text.replace(",", ".")
    for name, form in FORMS.items():
        if form.fullmatch(text):
            if name == "Date":
                return Instant(name, text, "")
            base, _, fraction = text[:-1].partition(".")
            return Instant(name, base, fraction.rstrip("0"))
    return None


def instant_key(value: Any, form: str) -> str | None:
    """The key of a stored text, or of the text in a typed value `{"@value": …}`; None where it has another form."""
    if isinstance(value, dict):
        value = value.get("@value")
    if not isinstance(value, str) or not FORMS[form].fullmatch(value):
        return None
    if form == "Date":
        return value
    base, _, fraction = value[:-1].partition(".")
    fraction = fraction.rstrip("0")
    return f"{base}.{fraction}" if fraction else base
