"""Partial answers (6.3.10): where one series is cut off, all are, at the same time."""

from broker.operations.temporal import Cut, Found, TemporalAsk, cut
from ngsi_ld.query.query import ANY
from ngsi_ld.temporal.query import TemporalQuery


def ask(last_n=None):
    return TemporalAsk(ANY, TemporalQuery(last_n=last_n), lambda _: True, None, None, limit=3)


def found(**series):
    rows = [{"a": name, "t": time, "c": time} for name, times in series.items() for time in times]
    return Found({"_id": "urn:ngsi-ld:Lamp:1"}, rows, sorted(series))


def times(one):
    return {name: [row["t"] for row in one.rows if row["a"] == name] for name in one.shown}


def test_without_a_full_series_nothing_is_left_out():
    one = found(a=[1, 2], b=[5])

    assert cut([one], ask(), 3) is None
    assert times(one) == {"a": [1, 2], "b": [5]}


def test_forwards_all_end_with_the_first_that_is_full():
    one, other = found(a=[1, 2, 3], b=[2, 5]), found(c=[3, 4, 9])

    assert cut([one, other], ask(), 3) == Cut(1, 3)
    assert (times(one), times(other)) == ({"a": [1, 2, 3], "b": [2]}, {"c": [3]})


def test_backwards_all_begin_with_the_last_that_is_full():
    one, other = found(a=[7, 8, 9], b=[2, 7]), found(c=[3, 4, 5])

    assert cut([one, other], ask(last_n=3), 3) == Cut(7, 9)
    assert (times(one), times(other)) == ({"a": [7, 8, 9], "b": [7]}, {"c": []})
