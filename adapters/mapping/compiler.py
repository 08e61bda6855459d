"""JMESPath's syntax tree as Python closures: what the jmespath library's interpreter does, several times as fast.

The library parses, checks and owns the functions; its interpreter looks each node's visitor up by name for every
record, which is where nine tenths of a mapping's time went. Here each node becomes a function of the record once. A
node that is not in the table (a slice, a sort by an expression …) is left to the interpreter; a property-based test
holds the two together.
"""

import operator
from collections.abc import Callable, Sequence
from numbers import Number
from typing import Any

from jmespath.functions import REVERSE_TYPES_MAP, Functions
from jmespath.visitor import Options, TreeInterpreter

Expression = Callable[[Any], Any]
"""From a record to a value; None where the record has none."""

Node = Any
"""A node of the library's tree: {"type": …, "children": […], "value": …}."""


def compiled(node: Node, functions: Functions) -> Expression:
    """The expression of a parsed node, calling these functions."""
    make = _MAKERS.get(node["type"])
    if make is None:
        interpreter = TreeInterpreter(Options(custom_functions=functions))
        return lambda record: interpreter.visit(node, record)
    return make(node, [compiled(child, functions) for child in node["children"]], functions)


def is_false(value: Any) -> bool:
    """What JMESPath holds for false: null, false, and empty texts, lists and objects; not 0."""
    return value is None or value is False or value == "" or value == [] or value == {}


def _field(node: Node, children: Sequence[Expression], functions: Functions) -> Expression:
    name = node["value"]
    return lambda record: record.get(name) if isinstance(record, dict) else None


def _subexpression(node: Node, children: Sequence[Expression], functions: Functions) -> Expression:
    names = _path(node)
    if names is not None:
        return _follow(names)
    return _pipe(node, children, functions)


def _pipe(node: Node, children: Sequence[Expression], functions: Functions) -> Expression:
    first, *others = children

    def pipe(record: Any) -> Any:
        value = first(record)
        for each in others:
            value = each(value)
        return value

    return pipe


def _path(node: Node) -> list[str] | None:
    """The names of a.b.c; None for a path with anything else in it."""
    if node["type"] == "field":
        return [node["value"]]
    if node["type"] != "subexpression":
        return None
    paths = [_path(child) for child in node["children"]]
    return None if None in paths else [name for path in paths if path is not None for name in path]


def _follow(names: list[str]) -> Expression:
    def follow(value: Any) -> Any:
        for name in names:
            if not isinstance(value, dict):
                return None
            value = value.get(name)
        return value

    return follow


def _current(node: Node, children: Sequence[Expression], functions: Functions) -> Expression:
    return lambda record: record


def _literal(node: Node, children: Sequence[Expression], functions: Functions) -> Expression:
    value = node["value"]
    return lambda record: value


def _index(node: Node, children: Sequence[Expression], functions: Functions) -> Expression:
    at = node["value"]

    def index(record: Any) -> Any:
        return record[at] if isinstance(record, list) and -len(record) <= at < len(record) else None

    return index


def _or(node: Node, children: Sequence[Expression], functions: Functions) -> Expression:
    left, right = children

    def either(record: Any) -> Any:
        value = left(record)
        return right(record) if is_false(value) else value

    return either


def _and(node: Node, children: Sequence[Expression], functions: Functions) -> Expression:
    left, right = children

    def both(record: Any) -> Any:
        value = left(record)
        return value if is_false(value) else right(record)

    return both


def _not(node: Node, children: Sequence[Expression], functions: Functions) -> Expression:
    (child,) = children
    return lambda record: is_false(child(record))


def _comparator(node: Node, children: Sequence[Expression], functions: Functions) -> Expression:
    left, right = children
    name = node["value"]
    if name == "eq":
        return lambda record: _equal(left(record), right(record))
    if name == "ne":
        return lambda record: not _equal(left(record), right(record))
    compare = _ORDER[name]

    def compared(record: Any) -> Any:
        a, b = left(record), right(record)
        return compare(a, b) if _has_order(a) and _has_order(b) else None

    return compared


_ORDER: dict[str, Callable[[Any, Any], bool]] = {
    "lt": operator.lt,
    "gt": operator.gt,
    "lte": operator.le,
    "gte": operator.ge,
}


def _equal(a: Any, b: Any) -> bool:
    # to Python true is 1 and false is 0; to JMESPath they are not
    if isinstance(a, bool) != isinstance(b, bool):
        return False
    return bool(a == b)


def _has_order(value: Any) -> bool:
    return isinstance(value, str) or (isinstance(value, Number) and not isinstance(value, bool))


def _projection(node: Node, children: Sequence[Expression], functions: Functions) -> Expression:
    base, each = children

    def projection(record: Any) -> Any:
        elements = base(record)
        if not isinstance(elements, list):
            return None
        return [value for value in map(each, elements) if value is not None]

    return projection


def _filter_projection(node: Node, children: Sequence[Expression], functions: Functions) -> Expression:
    base, each, condition = children

    def projection(record: Any) -> Any:
        elements = base(record)
        if not isinstance(elements, list):
            return None
        chosen = (each(element) for element in elements if not is_false(condition(element)))
        return [value for value in chosen if value is not None]

    return projection


def _multi_select_list(node: Node, children: Sequence[Expression], functions: Functions) -> Expression:
    return lambda record: None if record is None else [child(record) for child in children]


def _multi_select_dict(node: Node, children: Sequence[Expression], functions: Functions) -> Expression:
    pairs = [(child["value"], expression) for child, expression in zip(node["children"], children, strict=True)]
    return lambda record: None if record is None else {name: expression(record) for name, expression in pairs}


def _key_val_pair(node: Node, children: Sequence[Expression], functions: Functions) -> Expression:
    return children[0]


def _function(node: Node, children: Sequence[Expression], functions: Functions) -> Expression:
    name = node["value"]
    table = functions.FUNCTION_TABLE[name]
    signature, call = table["signature"], table["function"]
    if any(child["type"] == "expref" for child in node["children"]) or any(
        "-" in kind or kind == "expref" for argument in signature for kind in argument["types"]
    ):
        interpreter = TreeInterpreter(Options(custom_functions=functions))
        return lambda record: interpreter.visit(node, record)
    allowed = [_types(argument["types"]) for argument in signature]
    simple = len(allowed) == len(children) and not (signature and signature[-1].get("variadic"))

    def called(record: Any) -> Any:
        values = [child(record) for child in children]
        if simple:
            for types, value in zip(allowed, values, strict=True):
                if types and type(value).__name__ not in types:
                    break
            else:
                return call(functions, *values)
        return functions.call_function(name, values)  # which says what is wrong

    return called


def _types(kinds: Sequence[str]) -> frozenset[str]:
    """The Python types that stand for these types of JMESPath; empty where any will do."""
    return frozenset(name for kind in kinds for name in REVERSE_TYPES_MAP[kind])


_MAKERS: dict[str, Callable[[Node, Sequence[Expression], Functions], Expression]] = {
    "field": _field,
    "subexpression": _subexpression,
    "index_expression": _pipe,
    "pipe": _pipe,
    "current": _current,
    "identity": _current,
    "literal": _literal,
    "index": _index,
    "or_expression": _or,
    "and_expression": _and,
    "not_expression": _not,
    "comparator": _comparator,
    "projection": _projection,
    "filter_projection": _filter_projection,
    "multi_select_list": _multi_select_list,
    "multi_select_dict": _multi_select_dict,
    "key_val_pair": _key_val_pair,
    "function_expression": _function,
}
