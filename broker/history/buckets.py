"""Rows packed: those of one attribute of one entity on one day in columns, so that each costs few bytes.

    {"e": entity, "a": KEY, "d": datasetId, "k": "Property", "w": 20781, "o": true, "b": 1795478400000000, "u": 1000000,
     "t": [0, 900, …], "c": [250003, …], "v": [21.5, …], "n": 96, "y": {"s": 2064.0, "q": …, "l": 19.5, "h": 23.0},
     "h": [{"unitCode": "CEL"}], "g": [0, …], "m": {"5": …}, "x": {"7": …}, "C": [1795478400250003, 1795563901120003]}

`w` is the day of `t` since 1970 in UTC. Times are `b + u * t[i]`; `c` is how much later each row came (absent where
rows have no observedAt and `t` is `c`). `y` are sum, sum of squares, least and greatest of the values where all are
numbers, so that an aggregate over the whole bucket need not unpack it. `h` holds the different sets of other members
and `g` which one each row has (absent where all have the first). `m` and `x` are those of single rows, by position.
`C` is when the first of them came, and when the last one came or was corrected.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import bson

from broker.history.rows import Document, Row
from ngsi_ld.temporal import instants

MOST = 1000
"""Rows in one bucket: a day of readings at one a minute or so; busier days have several buckets."""

LARGEST = 4 * 1024 * 1024
"""Bytes of values from which on a bucket takes no more rows; MongoDB stores 16 MB in a document."""

_SCALAR = 16
_NUMBERS = frozenset({int, float, bool, type(None)})
_UNITS = (instants.SECOND, 1000)


def group(row: Row) -> tuple[Any, ...]:
    """What rows of one bucket have in common: attribute, dataset, kind, day, whether they have an observedAt."""
    return row["a"], row.get("d"), row["k"], row["t"] // instants.DAY, "w" not in row


def pack(entity_id: str, rows: Iterable[Row]) -> Iterator[Document]:
    """The buckets of rows of one entity, in any order."""
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(group(row), []).append(row)
    for (name, dataset_id, kind, day, observed), members in groups.items():
        members.sort(key=lambda row: (row["t"], row["c"]))
        for rows_of_one in _parts(members):
            bucket: Document = {"e": entity_id, "a": name}
            if dataset_id is not None:
                bucket["d"] = dataset_id
            yield bucket | {"k": kind, "w": day, "o": observed} | _columns(rows_of_one, observed)


def size(rows: Iterable[Row]) -> int:
    """About how many bytes the values and other members of rows take in MongoDB."""
    number = 0
    for row in rows:
        number += _size(row["v"])
        if "h" in row:
            number += sum(map(_size, row["h"].values()))
    return number


def unpack(bucket: Document, numbers: range | None = None) -> list[Row]:
    """The rows of a bucket, in order of time; only those with `numbers`, consecutive ones, where they are given."""
    base, unit, observed = bucket["b"], bucket["u"], bucket["o"]
    shapes, late, which = bucket.get("h"), bucket.get("c"), bucket.get("g")
    times, values = bucket["t"], bucket["v"]
    common: Row = {"a": bucket["a"], "k": bucket["k"]}
    if "d" in bucket:
        common["d"] = bucket["d"]
    if not observed:
        common["w"] = 1
    if numbers is None:
        numbers = range(len(times))
    rows: list[Row] = []
    for number in numbers:
        at = base + unit * times[number]
        row = {**common, "t": at, "c": at if late is None else at + late[number], "v": values[number]}
        if shapes is not None and (shape := shapes[0 if which is None else which[number]]):
            row["h"] = shape
        rows.append(row)
    for name in ("x", "m"):
        for number, at in bucket.get(name, {}).items():
            if int(number) in numbers:
                rows[int(number) - numbers.start][name] = at
    return rows


def _parts(rows: Sequence[Row]) -> Iterator[Sequence[Row]]:
    """The rows cut so that no part has too many or is too large."""
    start = taken = 0
    for number, row in enumerate(rows):
        added = size((row,))
        if number - start == MOST or (number > start and taken + added > LARGEST):
            yield rows[start:number]
            start, taken = number, 0
        taken += added
    if rows:
        yield rows[start:]


def _size(value: Any) -> int:
    kind = type(value)
    if kind in _NUMBERS:
        return _SCALAR
    if kind is str:
        return _SCALAR + (len(value) if value.isascii() else len(value.encode()))
    return len(bson.encode({"v": value}))


def _columns(rows: Sequence[Row], observed: bool) -> Document:
    base = rows[0]["t"]
    unit = next((unit for unit in _UNITS if all((row["t"] - base) % unit == 0 for row in rows)), 1)
    columns: Document = {
        "b": base,
        "u": unit,
        "t": [(row["t"] - base) // unit for row in rows],
        "v": [row["v"] for row in rows],
        "n": len(rows),
        "C": [min(row["c"] for row in rows), max(max(row["c"], row.get("m", 0)) for row in rows)],
    }
    if observed:
        columns["c"] = [row["c"] - row["t"] for row in rows]
    shapes: list[Document] = []
    which = [_place(row.get("h", {}), shapes) for row in rows]
    if shapes != [{}]:
        columns["h"] = shapes
        if len(shapes) > 1:
            columns["g"] = which
    for name in ("m", "x"):
        if single := {str(number): row[name] for number, row in enumerate(rows) if name in row}:
            columns[name] = single
    if all(type(row["v"]) in (int, float) for row in rows):
        values = [row["v"] for row in rows]
        columns["y"] = {
            "s": float(sum(values)),
            "q": float(sum(value * value for value in values)),
            "l": min(values),
            "h": max(values),
        }
    return columns


def _place(shape: Document, shapes: list[Document]) -> int:
    for number, known in enumerate(shapes):
        if known == shape and repr(known) == repr(shape):
            return number
    shapes.append(shape)
    return len(shapes) - 1
