"""A road operator that publishes DATEX II v2 measured data, in the shape of the French national network's feed.

One document has every station, flow and mean speed over the last six minutes; a new one comes every ten seconds here,
where the network's comes every six minutes. As there, values have index 0 and their xsi:type tells them apart, and a
station that saw no vehicle says speed -1.
"""

import asyncio
import random
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from xml.etree import ElementTree

from aiohttp import web

from beffroi.demo.inventory import entity_id
from beffroi.demo.ledger import Page
from beffroi.demo.territory import Station
from beffroi.demo.vendors import Vendor, now, utc
from beffroi.demo.vendors.loopback import Site, answered

PERIOD = timedelta(minutes=6)
EVERY = 10.0
_PATH = "/QTV-DIR/qtvDir.xml"
_DATEX = "http://datex2.eu/schema/2/2_0"
_XSI = "{http://www.w3.org/2001/XMLSchema-instance}"
_PARIS = timezone(timedelta(hours=1))
ElementTree.register_namespace("", _DATEX)


class DatexPublisher(Vendor):
    """Serves the newest document at `url`."""

    protocol = "DATEX II v2"

    def __init__(self, stations: Sequence[Station], page: Page, rng: random.Random) -> None:
        self._stations = stations
        self._page = page
        self._rng = rng
        self._share = {station.key: rng.uniform(0.2, 0.9) for station in stations}
        self._published: datetime
        self._document = b""
        self._fetched = asyncio.Event()
        self._site = Site([web.get(_PATH, self._answer)])

    @property
    def url(self) -> str:
        """Of the document."""
        return self._site.url + _PATH

    async def start(self) -> None:
        """Publishes a first document."""
        self._publish()
        await self._site.start()

    async def stop(self) -> None:
        """Stops serving."""
        await self._site.stop()

    async def round(self) -> int:
        """Waits until somebody has fetched the document; the number of stations in it."""
        await self._fetched.wait()
        return len(self._stations)

    async def keep_sending(self) -> None:
        """A new document every ten seconds."""
        while True:
            await asyncio.sleep(EVERY)
            self._publish()

    def _publish(self) -> None:
        self._published = now().replace(microsecond=0)
        self._document = document(self._stations, self._flows(), self._published)
        self._fetched.clear()

    def _flows(self) -> list[int]:
        """Vehicles in the period at each station: traffic that swells and ebbs."""
        for key, share in self._share.items():
            self._share[key] = min(max(share + self._rng.uniform(-0.1, 0.1), 0.0), 1.0)
        return [round(station.busy / 10 * self._share[station.key]) for station in self._stations]

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        validator = f'"{self._published.timestamp():.0f}"'
        headers = {"ETag": validator, "Last-Modified": format_datetime(self._published, usegmt=True)}
        if request.headers.get("If-None-Match") == validator:
            return web.Response(status=304, headers=headers)
        published, body = self._published, self._document
        response = await answered(request, body, headers, "application/xml")
        if not self._fetched.is_set() and published == self._published:
            self._page.write_all(
                [(entity_id("TrafficFlowObserved", each.key), utc(published)) for each in self._stations]
            )
            self._fetched.set()
        return response


def document(stations: Sequence[Station], counts: Sequence[int], end: datetime) -> bytes:
    """A MeasuredDataPublication: for each station the vehicles counted in the six minutes before `end`."""
    model = ElementTree.Element(f"{{{_DATEX}}}d2LogicalModel", modelBaseVersion="2")
    supplier = _child(_child(model, "exchange"), "supplierIdentification")
    _identify(supplier)
    publication = _child(model, "payloadPublication", {f"{_XSI}type": "MeasuredDataPublication", "lang": "fre"})
    _child(publication, "publicationTime").text = _local(end - PERIOD)
    _identify(_child(publication, "publicationCreator"))
    _child(
        publication, "measurementSiteTableReference", {"targetClass": "MeasurementSiteTable", "id": "", "version": "1"}
    )
    header = _child(publication, "headerInformation")
    _child(header, "confidentiality").text = "noRestriction"
    _child(header, "informationStatus").text = "real"
    for station, count in zip(stations, counts, strict=True):
        site = _child(publication, "siteMeasurements")
        reference = {"targetClass": "MeasurementSiteRecord", "id": station.key, "version": "1.0"}
        _child(site, "measurementSiteReference", reference)
        _child(site, "measurementTimeDefault").text = _local(end)
        flow = _measured(site, "TrafficFlow", "vehicleFlow", count)
        _child(flow, "vehicleFlowRate").text = str(count * 10)
        speed = _measured(site, "TrafficSpeed", "averageVehicleSpeed", count)
        _child(speed, "speed").text = f"{_speed(station, count):.1f}"
    text: bytes = ElementTree.tostring(model, encoding="UTF-8", xml_declaration=True)
    return text


def _speed(station: Station, count: int) -> float:
    """The busier the slower, in km/h; -1 where nobody passed."""
    return 58 - 34 * (count * 10 / station.busy) ** 2 if count else -1


def _measured(site: ElementTree.Element, kind: str, name: str, inputs: int) -> ElementTree.Element:
    value = _child(_child(site, "measuredValue", {"index": "0"}), "measuredValue")
    basic = _child(value, "basicData", {f"{_XSI}type": kind})
    return _child(basic, name, {"numberOfInputValuesUsed": str(inputs)})


def _identify(parent: ElementTree.Element) -> None:
    _child(parent, "country").text = "fr"
    _child(parent, "nationalIdentifier").text = "CHALONS"


def _child(parent: ElementTree.Element, name: str, attributes: dict[str, str] | None = None) -> ElementTree.Element:
    return ElementTree.SubElement(parent, f"{{{_DATEX}}}{name}", attributes or {})


def _local(time: datetime) -> str:
    return time.astimezone(_PARIS).isoformat(timespec="milliseconds")
