"""What follows a page of an answer, and what follows the last poll.

page: {next: '"@iot.nextLink"'}                      # an expression of the page: the URL of the next, or null
page: {cursor: meta.cursor, parameter: cursor}       # … or the value of a parameter
page: {link: true}                                   # the header Link: <…>; rel="next" (RFC 8288)
page: {number: page, first: 1, records: items}       # counted up until a page has no record
since: {parameter: start_date, value: "max([].updated_datetime)"}
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from adapters.errors import DefinitionError, MappingError
from adapters.mapping.compiler import Expression, is_false
from adapters.mapping.expressions import MappingFunctions, compile_expression


@dataclass(frozen=True, slots=True)
class PageOptions:
    """One of `next`, `cursor` (with `parameter`), `link` and `number`. `most`: pages a poll, against a server whose
    pages never end."""

    next: str = ""
    cursor: str = ""
    parameter: str = ""
    link: bool = False
    number: str = ""
    first: int = 1
    records: str = "@"
    most: int = 10_000


@dataclass(frozen=True, slots=True)
class SinceOptions:
    """`value`: an expression of a page; the greatest text (of whole numbers, the greatest number) it had is sent as
    `parameter`, in `template`'s place of {}, from the next poll on. It is kept on disk when the poll's data is.
    `initial`: before there is one."""

    parameter: str
    value: str
    template: str = "{}"
    initial: str = ""


@dataclass(frozen=True, slots=True)
class Following:
    """The request for the next page: a URL to go to, or parameters to add."""

    url: str = ""
    parameters: tuple[tuple[str, str], ...] = ()


class Pages:
    """How one page leads to the next."""

    def __init__(self, options: PageOptions, where: str) -> None:
        given = [name for name in ("next", "cursor", "link", "number") if getattr(options, name)]
        if len(given) != 1:
            raise DefinitionError(where, f"must have one of next, cursor, link, number; it has {', '.join(given)}")
        if options.cursor and not options.parameter:
            raise DefinitionError(f"{where}.parameter", "is missing: the name of the parameter that takes the cursor")
        self.options = options
        text = options.next or options.cursor or (options.records if options.number else "")
        self._expression: Expression | None = (
            compile_expression(text, MappingFunctions(), f"{where}.{given[0]}") if text else None
        )

    def first(self) -> Following:
        """The first request of a poll."""
        options = self.options
        return Following(parameters=((options.number, str(options.first)),) if options.number else ())

    def following(self, documents: list[Any], link: str | None, count: int) -> Following | None:
        """What follows the page of these documents, the `count`-th of the poll; None after the last."""
        options = self.options
        if count >= options.most:
            return None
        if options.link:
            return Following(url=link) if link else None
        values = [value for document in documents if not is_false(value := self._value(document))]
        if not values:
            return None
        if options.number:
            return Following(parameters=((options.number, str(options.first + count)),))
        value = values[-1]
        if not isinstance(value, (str, int)):
            return None
        return Following(url=str(value)) if options.next else Following(parameters=((options.parameter, str(value)),))

    def _value(self, document: Any) -> Any:
        try:
            return self._expression(document) if self._expression else None
        except MappingError:
            return None


class Since:
    """The greatest value that polls have seen, on disk."""

    def __init__(self, options: SinceOptions, file: Path, where: str) -> None:
        self._options = options
        self._file = file
        self._expression = compile_expression(options.value, MappingFunctions(), f"{where}.value")
        try:
            self._kept = str(orjson.loads(file.read_bytes())["since"])
        except (OSError, ValueError, KeyError, TypeError):
            self._kept = options.initial
        self._seen = self._kept

    def parameters(self) -> tuple[tuple[str, str], ...]:
        """What to add to a request."""
        return ((self._options.parameter, self._options.template.replace("{}", self._kept)),) if self._kept else ()

    def see(self, document: Any) -> None:
        """Looks at a page."""
        try:
            value = self._expression(document)
        except MappingError:
            return
        if isinstance(value, (str, int)) and not isinstance(value, bool) and _after(str(value), self._seen):
            self._seen = str(value)

    def keep(self) -> None:
        """All that was seen is safe: the next poll begins there."""
        if self._seen != self._kept:
            self._kept = self._seen
            draft = self._file.with_suffix(".new")
            draft.write_bytes(orjson.dumps({"since": self._kept}))
            draft.replace(self._file)


def _after(value: str, seen: str) -> bool:
    if value.isdecimal() and seen.isdecimal():
        return int(value) > int(seen)
    return value > seen
