"""The order of an answer as stages of an aggregation (GS CIM 009 v1.9.1, 4.23), the same as `ngsi_ld.query.sorting`.

MongoDB sorts what is missing first, a list by its least item, and a date-time as a text, so each term is made a rank
of the type and a value before the sort. It has no distance between geometries outside `$geoNear`: orderings by
distance are sorted in memory.
"""

from dataclasses import dataclass
from typing import Any

from broker.store.filters.filter import Mongo
from broker.store.names import key
from ngsi_ld.errors import ErrorType, NgsiLdError, bad_request_data
from ngsi_ld.query.ordering import Ordering, OrderTerm
from ngsi_ld.query.sorting import ABSENT, ARRAY, BOOLEAN, DATE, DATE_TIME, NULL, NUMBER, OBJECT, TEXT, TIME
from ngsi_ld.query.temporal import PCRE_FORMS

_ENTITY_FIELDS = {"id": "_id", "type": "types", "scope": "scope"}
_LISTS = frozenset({"type", "scope"})
_STRENGTHS = {"level1": 1, "level2": 2, "level3": 3, "level4": 4, "identic": 5}
_ORDERS = {"phonebk": "phonebook", "trad": "traditional", "dict": "dictionary"}
_FIELD = "_order"
_LOCALES = """
    af sq am ar hy as az be bn bs bg my ca chr zh hr cs da nl dz en eo et ee fo fil fi fr gl ka de el gu ha haw he hi
    hu is ig smn id ga it ja kl kn kk km kok ko ky lo lv ln lt dsb lb mk ms ml mt mr mn ne se nb nn or om ps fa pl pt
    pa ro ru sr si sk sl es sw sv ta te th bo to tr uk hsb ur ug vi wae cy yi yo zu
"""


@dataclass(frozen=True, slots=True)
class Sort:
    """Stages to be put after `$match`, and the collation of the command, None for the order of code points.

    `keys` give each document what `order` sorts by. With a collation the command's `$match` must name documents by
    something else than texts that it compares: MongoDB would compare them by it too, and no index helps it.
    `{"_id": {"$in": ids}}` of a first query is right, with any collation that tells different ids apart; and so is
    `$documents` with what a first command made of `keys`.
    """

    keys: list[Mongo]
    order: Mongo
    collation: Mongo | None = None

    @property
    def stages(self) -> list[Mongo]:
        """The whole of it."""
        return [*self.keys, self.order, {"$unset": _FIELD}]


def mongo_sort(ordering: Ordering, now: str) -> Sort | None:
    """The sort, or None where the order needs distances and so `ngsi_ld.query.sorting.sort_key`.

    Raises OperationNotSupported for distances along with a collation, BadRequestData for a collation not of MongoDB's.
    """
    collation = None if ordering.collation is None else _collation(ordering.collation)
    if any(term.by_distance for term in ordering.terms):
        if collation is not None:
            raise NgsiLdError(
                ErrorType.OPERATION_NOT_SUPPORTED, "orderBy a distance cannot be joined with a collation here"
            )
        return None
    added: dict[str, Any] = {}
    order: dict[str, int] = {}
    for number, term in enumerate(ordering.terms):
        direction = -1 if term.descending else 1
        added[f"v{number}"] = _target(term, now)
        order |= {f"{_FIELD}.a{number}": 1, f"{_FIELD}.r{number}": direction, f"{_FIELD}.k{number}": direction}
    ranks = {f"{_FIELD}.{name}": one for name, one in _ranks(len(ordering.terms)).items()}
    return Sort([{"$set": {_FIELD: added}}, {"$set": ranks}], {"$sort": order | {"_id": 1}}, collation)


def _target(term: OrderTerm, now: str) -> Any:
    """The expression of what a term compares; nothing where it is not there."""
    path = term.path
    if not path.names:
        field = f"${_ENTITY_FIELDS.get(path.member or '', path.member or '')}"
        if path.member in _LISTS:
            return {"$cond": [{"$gt": [{"$size": {"$ifNull": [field, []]}}, 0]}, {"$min": field}, "$$REMOVE"]}
        return field
    attributes: Any = "$attrs"
    instance: Any = None
    for name in path.names:
        instances = f"{attributes}.{key(name)}" if instance is None else _field(instance, "subs", key(name))
        instance = _instance(instances, now)
    if path.member is not None:
        return _unwrapped(_field(instance, path.member))
    if path.inside == ("*",):
        return {"$let": {"vars": {"i": instance}, "in": {"$cond": [_is("LanguageProperty"), "$$i.value", "$$REMOVE"]}}}
    if path.inside:
        return _unwrapped(_inside(instance, [key(name) for name in path.inside]))
    whole = {"$cond": [{"$in": ["$$i.type", ["JsonProperty", "GeoProperty"]]}, {"json": 1}, "$$i.value"]}
    there = {"$cond": [{"$eq": [{"$type": "$$i"}, "object"]}, whole, "$$REMOVE"]}
    return _unwrapped({"$let": {"vars": {"i": instance}, "in": there}})


def _is(kind: str) -> Mongo:
    return {"$eq": ["$$i.type", kind]}


def _field(instance: Any, *names: str) -> Mongo:
    return {"$let": {"vars": {"i": instance}, "in": "$$i." + ".".join(names)}}


def _instance(instances: Any, now: str) -> Mongo:
    """The live default instance, else the first live one."""
    passed = {"$lte": [{"$rtrim": {"input": "$$one.expiresAt", "chars": "Z"}}, now[:-1]]}
    live = {
        "$filter": {
            "input": {"$ifNull": [instances, []]},
            "as": "one",
            "cond": {"$or": [{"$eq": [{"$type": "$$one.expiresAt"}, "missing"]}, {"$not": [passed]}]},
        }
    }
    default = {"$filter": {"input": "$$live", "as": "one", "cond": {"$eq": [{"$type": "$$one.datasetId"}, "missing"]}}}
    chosen = {"$ifNull": [{"$first": default}, {"$first": "$$live"}]}
    return {"$let": {"vars": {"live": live}, "in": chosen}}


def _inside(instance: Any, keys: list[str]) -> Mongo:
    """A member within the value, through objects only."""
    seed = {
        "$switch": {
            "branches": [
                {"case": _is("Property"), "then": "$$i.value"},
                {"case": _is("JsonProperty"), "then": "$$i.json"},
                {"case": _is("LanguageProperty"), "then": "$$i.languageMap"},
            ],
            "default": "$$REMOVE",
        }
    }
    value: Mongo = {"$let": {"vars": {"i": instance}, "in": seed}}
    for name in keys:
        member = {"$getField": {"field": {"$literal": name}, "input": "$$o"}}
        value = {
            "$let": {
                "vars": {"o": value},
                "in": {"$cond": [{"$eq": [{"$type": "$$o"}, "object"]}, member, "$$REMOVE"]},
            }
        }
    return value


def _unwrapped(value: Any) -> Mongo:
    """The text of a typed value, any other value itself."""
    text = {"$getField": {"field": {"$literal": "@value"}, "input": "$$v"}}
    typed = {"$and": [{"$eq": [{"$type": "$$v"}, "object"]}, {"$eq": [{"$type": text}, "string"]}]}
    return {"$let": {"vars": {"v": value}, "in": {"$cond": [typed, text, "$$v"]}}}


def _ranks(terms: int) -> dict[str, Any]:
    """For each term whether it is absent, the rank of its type and the key within the type."""
    ranks: dict[str, Any] = {}
    for number in range(terms):
        value = f"${_FIELD}.v{number}"
        kind = {"$type": value}
        instants = [("Time", TIME), ("Date", DATE), ("DateTime", DATE_TIME)]
        is_text = {"$eq": [kind, "string"]}
        has_form = [({"$regexMatch": {"input": value, "regex": PCRE_FORMS[form]}}, rank) for form, rank in instants]
        branches = [
            {"case": {"$in": [kind, ["int", "long", "double", "decimal"]]}, "then": NUMBER},
            *({"case": {"$and": [is_text, form]}, "then": rank} for form, rank in has_form),
            {"case": is_text, "then": TEXT},
            {"case": {"$eq": [kind, "object"]}, "then": OBJECT},
            {"case": {"$eq": [kind, "array"]}, "then": ARRAY},
            {"case": {"$eq": [kind, "bool"]}, "then": BOOLEAN},
            {"case": {"$eq": [kind, "null"]}, "then": NULL},
        ]
        is_instant = {"$and": [is_text, {"$or": [form for form, _ in has_form]}]}
        ranks[f"a{number}"] = {"$eq": [kind, "missing"]}
        ranks[f"r{number}"] = {"$switch": {"branches": branches, "default": ABSENT}}
        ranks[f"k{number}"] = {
            "$switch": {
                "branches": [
                    {"case": {"$in": [kind, ["object", "array", "missing", "null"]]}, "then": 0},
                    {"case": is_instant, "then": _instant_key(value)},
                ],
                "default": value,
            }
        }
    return ranks


def _instant_key(value: str) -> Mongo:
    """The text without its Z, and without the zeros that end a fraction."""
    bare = {"$rtrim": {"input": value, "chars": "Z"}}
    parts = {"$split": [bare, "."]}
    fraction = {"$rtrim": {"input": {"$arrayElemAt": ["$$parts", 1]}, "chars": "0"}}
    with_fraction = {"$concat": [{"$first": "$$parts"}, ".", fraction]}
    trimmed = {"$rtrim": {"input": with_fraction, "chars": "."}}
    return {
        "$let": {
            "vars": {"parts": parts},
            "in": {"$cond": [{"$eq": [{"$size": "$$parts"}, 1]}, bare, trimmed]},
        }
    }


def _collation(text: str) -> Mongo:
    """MongoDB's collation for an RFC 6067 tag: `und-x-icu`, `de-u-co-phonebk`, `fr-u-ks-level1`, `und-u-kn-true`."""
    base, _, extension = text.lower().removesuffix("-x-icu").partition("-u-")
    language = base.split("-")[0].replace("und", "en").replace("root", "en")  # en has the root order
    if language not in _LOCALES.split():
        raise bad_request_data(f"collation {text!r}: the language {language} has no collation here")
    collation: Mongo = {"locale": language}
    subtags = extension.split("-") if extension else []
    for name, value in zip(subtags[::2], subtags[1::2], strict=False):
        match name:
            case "ks" if value in _STRENGTHS:
                collation["strength"] = _STRENGTHS[value]
            case "co":
                collation["locale"] += f"@collation={_ORDERS.get(value, value)}"
            case "kn":
                collation["numericOrdering"] = value != "false"
            case "kf" if value in ("upper", "lower"):
                collation["caseFirst"] = value
            case _:
                raise bad_request_data(f"collation {text!r}: {name}-{value} is not known here; ks, co, kn and kf are")
    return collation
