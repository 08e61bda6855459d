"""The query languages of NGSI-LD: text in, small trees out, one file a language (GS CIM 009 v1.9.1, 4.9 to 4.23).

`Query` holds all that an entity query asks; `matches` tests an entity in memory. Every parser raises BadRequestData
that says at which character something else was expected.
"""

from ngsi_ld.query.geo import GeoQuery, parse_geo_query
from ngsi_ld.query.language import LanguageRanges, parse_languages
from ngsi_ld.query.matching import matches, selects, unresolved
from ngsi_ld.query.ordering import Ordering, OrderTerm, parse_order_by
from ngsi_ld.query.patterns import Pattern, parse_pattern
from ngsi_ld.query.projection import Projection, parse_attrs, parse_projection
from ngsi_ld.query.q import Condition, parse_q
from ngsi_ld.query.query import ANY, EntitySelector, Query
from ngsi_ld.query.scope_q import ScopeQuery, parse_scope_q
from ngsi_ld.query.syntax import DEFAULT_LIMITS, Limits
from ngsi_ld.query.type_selection import TypeSelection, parse_type_selection

__all__ = [
    "ANY",
    "DEFAULT_LIMITS",
    "Condition",
    "EntitySelector",
    "GeoQuery",
    "LanguageRanges",
    "Limits",
    "OrderTerm",
    "Ordering",
    "Pattern",
    "Projection",
    "Query",
    "ScopeQuery",
    "TypeSelection",
    "matches",
    "parse_attrs",
    "parse_geo_query",
    "parse_languages",
    "parse_order_by",
    "parse_pattern",
    "parse_projection",
    "parse_q",
    "parse_scope_q",
    "parse_type_selection",
    "selects",
    "unresolved",
]
