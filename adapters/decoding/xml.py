"""XML read as a feed must be: no entities, no DTD, no network, and one record after the other in constant memory."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from lxml import etree

from adapters.decoding.json import with_origin
from adapters.errors import DecodingError
from adapters.options import read


@dataclass(frozen=True, slots=True)
class XmlFormat:
    """Each element named `record` (without its namespace) is a record:

    `<site id="1"><speed unit="km/h">50</speed></site>` → `{"@id": "1", "speed": {"@unit": "km/h", "#text": "50"}}`.
    An element with text only is that text; one that stands several times is a list. Names lose their namespaces.
    """

    record: str

    @classmethod
    def open(cls, options: Mapping[str, Any], where: str, state: Path | None) -> "XmlFormat":
        """From a definition's `format: {kind: xml, record: site}`."""
        return read(cls, options, where)

    def decode(self, stream: BinaryIO, origin: Mapping[str, str]) -> Iterator[Any]:
        """The records. Raises DecodingError where the XML is broken, or has a DTD."""
        for element in elements(stream, (self.record,)):
            yield with_origin(as_object(element), origin)


def elements(stream: BinaryIO, names: tuple[str, ...]) -> Iterator[Any]:
    """The elements with one of these local names, as lxml elements, each thrown away when the next is asked for.

    Raises DecodingError for broken XML and for any document type declaration: the bombs and the files of others that
    a feed can name all begin with one, and no feed needs one.
    """
    try:
        parser = etree.iterparse(
            stream,
            events=("end",),
            tag=["{*}" + name for name in names],
            resolve_entities=False,
            load_dtd=False,
            no_network=True,
            huge_tree=False,
        )
        checked = False
        for _, element in parser:
            if not checked:
                _refuse_dtd(element)
                checked = True
            yield element
            element.clear()
            while element.getprevious() is not None:
                del element.getparent()[0]
        if not checked and parser.root is not None:
            _refuse_dtd(parser.root)
    except etree.XMLSyntaxError as error:
        raise DecodingError(f"not well-formed XML: {error.msg}") from None


def _refuse_dtd(element: Any) -> None:
    if element.getroottree().docinfo.doctype:
        raise DecodingError("XML with a document type declaration is not accepted")


def local_name(element: Any) -> str:
    """The element's name without its namespace."""
    return str(element.tag).rpartition("}")[2]


def as_object(element: Any) -> Any:
    """The element as JSON; see XmlFormat."""
    result: dict[str, Any] = {"@" + str(name).rpartition("}")[2]: value for name, value in element.attrib.items()}
    for child in element:
        if not isinstance(child.tag, str):  # a comment or a processing instruction
            continue
        name, value = local_name(child), as_object(child)
        if name not in result:
            result[name] = value
        elif isinstance(result[name], list):
            result[name].append(value)
        else:
            result[name] = [result[name], value]
    text = (element.text or "").strip()
    if not result:
        return text
    if text:
        result["#text"] = text
    return result
