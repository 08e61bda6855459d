"""The mapping of an adapter: records in, NGSI-LD entities (normalized representation, short names) out."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from adapters.definition import Definition
from adapters.errors import DefinitionError
from adapters.mapping.addresses import Addresses
from adapters.mapping.expressions import MappingFunctions, compile_expression, read_table
from adapters.mapping.instants import Instants
from adapters.mapping.template import EntityTemplate, compile_entity
from adapters.mapping.times import to_text

NO_FILE = "none"
"""The file of a table that a profile can use and an installation does not have: no rows."""


class Mapper:
    """The compiled entity templates of a definition.

    `static` has (type, attribute) of what is sent when it changes and not each time.
    Raises DefinitionError where a template is not right.
    """

    def __init__(self, definition: Definition) -> None:
        file = definition.file
        tables = {
            name: read_table(
                definition.beside(table.file), table.key, table.delimiter, table.encoding, f"{file}: tables.{name}"
            )
            for name, table in definition.lookup_tables().items()
            if table.file not in ("", NO_FILE)
        } | {name: {} for name, table in definition.lookup_tables().items() if table.file in ("", NO_FILE)}
        self.zone = zone = _zone(definition.time_zone, f"{file}: time_zone")
        self.functions = MappingFunctions(tables, zone)
        self.addresses = Addresses()
        self._instants = Instants()
        self._records = (
            compile_expression(definition.records, self.functions, f"{file}: records") if definition.records else None
        )
        self.templates: tuple[EntityTemplate, ...] = tuple(
            compile_entity(name, data, self.functions, zone, self._instants, self.addresses, f"{file}: entities.{name}")
            for name, data in definition.entities.items()
            if data is not None
        )
        self.static = frozenset((template.type, name) for template in self.templates for name in template.static)

    def begin(self, now: datetime) -> None:
        """A batch received at `now`: what received() answers, and what observedAt is held against."""
        self.functions.received = to_text(now)
        self._instants.begin(now)

    def records(self, document: Any) -> list[Any]:
        """The records in a decoded document: what `records` selects, else a list's elements or the document itself."""
        if self._records is not None:
            document = self._records(document)
        if document is None:
            return []
        return document if isinstance(document, list) else [document]

    def entities(self, record: Any) -> list[dict[str, Any]]:
        """The entities of one record. Raises MappingError: the template, the attribute and the expression at fault."""
        made: list[dict[str, Any]] = []
        for template in self.templates:
            made += template.entities(record)
        return made


def _zone(name: str | None, where: str) -> ZoneInfo | None:
    if name is None:
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise DefinitionError(where, f"{name!r} is not a time zone such as Europe/Paris") from None
