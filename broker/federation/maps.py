"""Which entities context sources have for a query: from their own EntityMaps where they make some (5.14.4.4)."""

from collections import Counter
from collections.abc import Sequence

from broker.federation import asking
from broker.federation.asking import Asked
from broker.federation.consulting import Consultation
from broker.federation.streams import Item, SourceStream
from ngsi_ld.query.query import Query
from ngsi_ld.registration.matching import Match
from ngsi_ld.registration.narrowing import Part

HERE = "@none"
"""This broker, among the sources of an entity (5.2.39)."""

CREATE = "createEntityMapQueryEntity"

_NO_MAPS = frozenset({400, 403, 405, 406, 422, 501})
"""How a source says that it makes none, whatever it is registered for."""

_FIRST_ERROR = 300


def mapping_streams(
    consultation: Consultation, asked: Sequence[tuple[Match, Part]], conditions: Query, most: int
) -> list[tuple[str, SourceStream]]:
    """A stream of ids for each request to a source, with the id of its registration."""
    # A source that is asked several times would make several maps, of which there is room for one (5.2.39).
    number = Counter(match.registration.id for match, _ in asked)
    streams: list[tuple[str, SourceStream]] = []
    for match, part in asked:
        once = number[match.registration.id] == 1 and match.supports(CREATE)
        made = MappedStream if once else SourceStream
        streams.append((match.registration.id, made(consultation, match, part, conditions, most)))
    return streams


class MappedStream(SourceStream):
    """The ids of an EntityMap that the source makes; where it makes none, those of its entities."""

    def __init__(
        self, consultation: Consultation, match: Match, part: Part, conditions: Query, most: int, **rest: bool
    ) -> None:
        super().__init__(consultation, match, part, conditions, most, **rest)
        self._asked_for_map = False

    async def fill(self, size: int, *, ids_only: bool) -> None:
        """See `Stream`."""
        if not self._asked_for_map:
            self._asked_for_map = True
            ids = await self._mapped()
            if ids is not None:
                self.items.extend([Item(one, None, None) for one in ids])
                self.ended = True
                return
        await super().fill(size, ids_only=ids_only)

    async def _mapped(self) -> list[str] | None:
        """The ids in the map that the source makes, in order; None where it makes none."""
        names = await self._consultation.names(self._match.registration)
        if names is None:
            return None
        asked = asking.query(self._match, self._part, self._conditions, names)
        return await mapped_ids(self._consultation, self._match, self._part, asked, "/entityMaps")


async def mapped_ids(consultation: Consultation, match: Match, part: Part, asked: Asked, path: str) -> list[str] | None:
    """The ids in the EntityMap that a source makes of a query, in order; None where it makes none."""
    parameters = [pair for pair in asked.parameters if pair[0] != "options"]
    answer = await consultation.ask(match.registration, asked.method, path, parameters, asked.body, refusals=_NO_MAPS)
    if answer is None or answer.status >= _FIRST_ERROR or not isinstance(answer.body, dict):
        return None
    listed, identifier = answer.body.get("entityMap"), answer.body.get("id")
    if not isinstance(listed, dict) or not isinstance(identifier, str):
        return None
    consultation.caller.maps.setdefault(match.registration.id, identifier)
    selector, pattern = part.selector, part.pattern
    return sorted(
        one
        for one in listed
        if (not selector.ids or one in selector.ids)
        and (selector.id_pattern is None or selector.id_pattern.search(one))
        and (pattern is None or pattern.search(one))
    )
