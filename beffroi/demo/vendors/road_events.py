"""The road operator's events: works and accidents as a DATEX II v2 SituationPublication, polled."""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from xml.sax.saxutils import escape

from aiohttp import web

from beffroi.demo.inventory import entity_id
from beffroi.demo.ledger import Page
from beffroi.demo.streets import Place
from beffroi.demo.territory import Station
from beffroi.demo.vendors import Vendor, now, utc
from beffroi.demo.vendors.loopback import Site, answered

EVERY = 20.0
_PATH = "/Evenementiel-DIR/content.xml"
_KINDS = (
    ("MaintenanceWorks", "low", "Voie de droite neutralisée"),
    ("Accident", "high", "Accident, prudence"),
    ("VehicleObstruction", "medium", "Véhicule en panne"),
    ("GeneralObstruction", "medium", "Objet sur la chaussée"),
)


@dataclass(frozen=True, slots=True)
class _Event:
    """`over` once it has ended; `changed`: when it was last told."""

    key: str
    kind: str
    severity: str
    comment: str
    place: Place
    began: datetime
    changed: datetime
    over: bool = False


class RoadEvents(Vendor):
    """Serves the newest document at `url`."""

    protocol = "DATEX II v2 situations"

    def __init__(self, stations: Sequence[Station], page: Page, rng: random.Random) -> None:
        self._stations = stations
        self._page = page
        self._rng = rng
        self._told = 0
        self._events: list[_Event] = []
        self._fetched = asyncio.Event()
        self._site = Site([web.get(_PATH, self._answer)])

    @property
    def url(self) -> str:
        """Of the document."""
        return self._site.url + _PATH

    async def start(self) -> None:
        """Five events are under way."""
        self._events = [self._begin() for _ in range(5)]
        await self._site.start()

    async def stop(self) -> None:
        """Stops serving."""
        await self._site.stop()

    async def round(self) -> int:
        """Waits until somebody has fetched the document; the number of events in it."""
        await self._fetched.wait()
        return len(self._events)

    async def keep_sending(self) -> None:
        """Every twenty seconds the oldest event is over, and another begins; what is over stays for a document more."""
        while True:
            await asyncio.sleep(EVERY)
            under_way = [event for event in self._events if not event.over]
            self._events = [replace(under_way[0], over=True, changed=now()), *under_way[1:], self._begin()]

    def _begin(self) -> _Event:
        self._told += 1
        time = now()
        kind, severity, comment = self._rng.choice(_KINDS)
        key = f"{time:%y%m%d%H%M%S}-{self._told:04d}"
        return _Event(key, kind, severity, comment, self._rng.choice(self._stations).place, time, time)

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        events = list(self._events)
        response = await answered(request, document(events), {}, "application/xml")
        self._page.write_all([(entity_id("Alert", f"{each.key}-1"), utc(each.changed)) for each in events])
        self._fetched.set()
        return response


def document(events: Sequence[_Event]) -> bytes:
    """A SituationPublication of the events, a situation each."""
    situations = "".join(map(_situation, events))
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<d2LogicalModel xmlns="http://datex2.eu/schema/2/2_0" modelBaseVersion="2">
  <payloadPublication xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="SituationPublication" lang="fr">
    <publicationTime>{utc(now())}</publicationTime>{situations}
  </payloadPublication>
</d2LogicalModel>
""".encode()


def _situation(event: _Event) -> str:
    life = (
        "<situationRecordLifeCycleManagement><end>true</end></situationRecordLifeCycleManagement>" if event.over else ""
    )
    return f"""
    <situation id="{event.key}" version="{2 if event.over else 1}">
      <overallSeverity>{event.severity}</overallSeverity>
      <situationRecord xsi:type="{event.kind}" id="{event.key}-1" version="{2 if event.over else 1}">
        <situationRecordCreationTime>{utc(event.began)}</situationRecordCreationTime>
        <situationRecordVersionTime>{utc(event.changed)}</situationRecordVersionTime>{life}
        <validity><validityStatus>definedByValidityTimeSpec</validityStatus><validityTimeSpecification>
          <overallStartTime>{utc(event.began)}</overallStartTime></validityTimeSpecification></validity>
        <generalPublicComment><comment><values><value lang="fr">{escape(event.comment)}</value></values></comment>
        </generalPublicComment>
        <groupOfLocations xsi:type="Point"><pointByCoordinates><pointCoordinates>
          <latitude>{event.place.latitude}</latitude><longitude>{event.place.longitude}</longitude>
        </pointCoordinates></pointByCoordinates></groupOfLocations>
      </situationRecord>
    </situation>"""
