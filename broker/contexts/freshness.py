"""How long a fetched @context may be used without asking again (GS CIM 009 v1.9.1, 6.3.16; RFC 9111, 4.2)."""

import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

from broker.contexts.settings import ContextSettings

_DIRECTIVE = re.compile(r'([A-Za-z-]+)(?:\s*=\s*"?([^",]*)"?)?')


def lifetime(headers: Mapping[str, str], now: float, settings: ContextSettings) -> float:
    """Seconds of freshness that an answer received at `now` (Unix time) has left.

    A shared cache reads s-maxage before max-age before Expires; where none is given, a tenth of the document's age
    is assumed, within the settings' bounds.
    """
    directives = {name.lower(): value for name, value in _DIRECTIVE.findall(headers.get("Cache-Control", ""))}
    return max(_stated(directives, headers, now, settings), settings.shortest_lifetime)


def _stated(directives: Mapping[str, str], headers: Mapping[str, str], now: float, settings: ContextSettings) -> float:
    if "no-store" in directives or "no-cache" in directives:
        return 0.0
    age = _seconds(headers.get("Age", "")) or 0.0
    for name in ("s-maxage", "max-age"):
        if name in directives:
            return (_seconds(directives[name]) or 0.0) - age
    answered = _date(headers.get("Date")) or now
    if "Expires" in headers:
        expires = _date(headers["Expires"])
        return 0.0 if expires is None else expires - answered - age  # not a date means: expired already
    changed = _date(headers.get("Last-Modified"))
    if changed is None:
        return settings.heuristic_lifetime
    return min((answered - changed) / 10, settings.longest_heuristic)


def _seconds(text: str) -> float | None:
    return float(text) if text.isascii() and text.isdigit() and len(text) < 12 else None


def _date(text: str | None) -> float | None:
    try:
        return parsedate_to_datetime(text).timestamp() if text else None
    except (ValueError, OverflowError):
        return None
