"""Sums of hours and of days, which are kept longer than the values that they sum up.

    {"e": entity, "a": KEY, "d": datasetId, "k": "Property", "o": true, "K": "number", "p": 1, "w": 20781,
     "i": [0, 1, …], "n": [4, 4, …], "s": [86.0, …], "q": […], "l": [21.0, …], "h": [22.5, …], "z": [3, …],
     "u": [2700000000, …], "c": [1795478400250000, 1795564700250000], "m": false, "D": 57}

`p` is the length of a cell in hours, 1 or 24. A document has the hours of one UTC day, or the days of one UTC month.
`w` is its first day since 1970, `i` which cells it has. `K` is the class of the values, see
`ngsi_ld.temporal.aggregation`; those of another class have a document of their own. `n`, `s`, `q`, `l`, `h` are number,
sum, sum of squares, least and greatest, `z` the number of different values or null where it is not known any more, `u`
how many microseconds after its start the last value of a cell is. Columns of nothing but null are absent. `c` is when
the first and last value came, `m` whether one of them was corrected, `D` the number of different values of the whole
day, null if not known.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from broker.history.rows import Document
from ngsi_ld.temporal import instants

HOUR = 3600 * instants.SECOND
HOURLY, DAILY = 1, 24
"""Lengths of a cell, in hours."""

MONTH_DAYS = 31
"""How many days after its first one a document's last day is at most."""

_COLUMNS = ("n", "s", "q", "l", "h", "z", "u")
_EPOCH = date(1970, 1, 1).toordinal()


@dataclass(slots=True)
class Cell:
    """The sums of one hour or one day; members as above. `start` is in microseconds."""

    start: int
    n: int
    s: Any
    q: Any
    l: Any  # noqa: E741 - the columns' names
    h: Any
    z: int | None
    u: int

    def add(self, other: "Cell") -> None:
        """Takes in other values of the same time. How many different ones there are is not known after that."""
        self.n += other.n
        self.s, self.q = _sum(self.s, other.s), _sum(self.q, other.q)
        if other.l is not None:
            self.l = other.l if self.l is None else min(self.l, other.l)
            self.h = other.h if self.h is None else max(self.h, other.h)
        self.z = None
        self.u = max(self.u, other.u)


@dataclass(slots=True)
class Part:
    """What goes into one document: its key members, cells, and what it says of all of them together."""

    key: Document
    cells: dict[int, Cell]
    created: tuple[int, int]
    corrected: bool
    distinct: int | None = None

    def add(self, other: "Part") -> None:
        """Takes in the cells of another part with the same key."""
        for number, cell in other.cells.items():
            if number in self.cells:
                self.cells[number].add(cell)
            else:
                self.cells[number] = cell
        first, last = zip(self.created, other.created, strict=True)
        self.created = min(first), max(last)
        self.corrected |= other.corrected
        self.distinct = None


def key_of(document: Mapping[str, Any]) -> tuple[Any, ...]:
    """What no two documents have in common."""
    return tuple(document.get(name) for name in ("e", "a", "d", "k", "o", "K", "p", "w"))


def first_day(day: int, length: int) -> int:
    """The first day of the document that has the cells of a day."""
    return day if length == HOURLY else day - date.fromordinal(_EPOCH + day).day + 1


def written(part: Part) -> Document:
    """The document of a part."""
    cells = [part.cells[number] for number in sorted(part.cells)]
    columns = {name: [getattr(cell, name) for cell in cells] for name in _COLUMNS}
    document = part.key | {"i": sorted(part.cells)}
    document |= {name: column for name, column in columns.items() if any(one is not None for one in column)}
    document |= {"c": list(part.created), "m": part.corrected}
    return document | {"D": part.distinct} if part.key["p"] == HOURLY else document


def read(document: Document) -> Part:
    """The part of a document."""
    key: Document = {name: document[name] for name in ("e", "a", "d", "k", "o", "K", "p", "w") if name in document}
    cells = {}
    for place, number in enumerate(document["i"]):
        columns: dict[str, Any] = {name: document[name][place] if name in document else None for name in _COLUMNS}
        cells[number] = Cell(_start(document, number), **columns)
    first, last = document["c"]
    return Part(key, cells, (first, last), document["m"], document.get("D"))


def of_days(parts: Iterable[Part]) -> Iterator[Part]:
    """From parts of hours, those of one day each, parts of days."""
    for part in parts:
        day = part.key["w"]
        first = first_day(day, DAILY)
        cells = iter(sorted(part.cells.items()))
        _, whole = next(cells)
        whole.u += whole.start - day * instants.DAY
        whole.start = day * instants.DAY
        for _, cell in cells:
            cell.u += cell.start - whole.start
            whole.add(cell)
        whole.z = part.distinct
        yield Part(part.key | {"p": DAILY, "w": first}, {day - first: whole}, part.created, part.corrected)


def spans(document: Document) -> Iterator[tuple[int, int, int]]:
    """Of each cell the time that it begins, that of its last value, and that before which it ends."""
    length = document["p"] * HOUR
    for number, last in zip(document["i"], document["u"], strict=True):
        start = _start(document, number)
        yield start, start + last, start + length


def _start(document: Document, number: int) -> int:
    start: int = document["w"] * instants.DAY + number * document["p"] * HOUR
    return start


def _sum(one: Any, other: Any) -> Any:
    if one is None or other is None:
        return other if one is None else one
    return one + other
