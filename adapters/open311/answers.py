"""Answers of Open311 GeoReport v2 in both its forms: lists of objects in JSON, the same in XML under one element."""

from collections.abc import Sequence
from typing import Any

from aiohttp import web
from lxml import etree


def answer(
    request: web.Request, many: str, one: str, items: Sequence[dict[str, Any]], status: int = 200
) -> web.Response:
    """`[{…}]`, or `<many><one>…</one></many>` where the path ends in .xml."""
    if request.match_info.get("form") != "xml":
        return web.json_response(list(items), status=status)
    root = etree.Element(many)
    for item in items:
        element = etree.SubElement(root, one)
        for name, value in item.items():
            text = "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
            etree.SubElement(element, name).text = "".join(
                each for each in text if each.isprintable() or each in "\n\t"
            )
    body = etree.tostring(root, xml_declaration=True, encoding="utf-8")
    return web.Response(body=body, status=status, content_type="text/xml", charset="utf-8")


def failure(request: web.Request, status: int, description: str) -> web.Response:
    """The error in the protocol's form."""
    return answer(request, "errors", "error", [{"code": status, "description": description}], status)
