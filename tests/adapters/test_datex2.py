"""The datex2 profile: a web server publishes measured data, the adapter polls it."""

import asyncio
import gzip
from pathlib import Path

import psutil
import pytest
from aiohttp import web

import adapters.datex2
from adapters.check import examine
from adapters.errors import DefinitionError
from tests.adapters.peer import Process, dead_letters, free_port, until

FOLDER = Path(adapters.datex2.__file__).parent
SAMPLE = (FOLDER / "samples/1-measured.xml").read_bytes()
SITES = FOLDER / "sites.sample.csv"
ID = "urn:ngsi-ld:TrafficFlowObserved:marne-MUC51."
HEAD, _, REST = SAMPLE.partition(b"<siteMeasurements>")
XMLNS = 'xmlns="http://datex2.eu/schema/2/2_0" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'


class Feed:
    """A URL that answers with `body`, and 304 to those who have it."""

    def __init__(self):
        self.port = free_port()
        self.body = SAMPLE
        self.status = 200
        self.asked = []
        self._runner = None

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/qtvDir.xml"

    async def start(self):
        application = web.Application()
        application.add_routes([web.get("/qtvDir.xml", self._answer)])
        self._runner = web.AppRunner(application)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port).start()

    async def stop(self):
        await self._runner.cleanup()

    async def _answer(self, request):
        tag = f'"{hash(self.body)}"'
        known = request.headers.get("If-None-Match") == tag
        self.asked.append(304 if known else self.status)
        if known:
            return web.Response(status=304)
        return web.Response(status=self.status, body=self.body, content_type="text/xml", headers={"ETag": tag})


@pytest.fixture
async def feed():
    feed = Feed()
    await feed.start()
    yield feed
    await feed.stop()


@pytest.fixture
def traffic(adapter_file, feed):
    settings = {"site": "marne", "url": feed.url, "sites": str(SITES), "interval": 0.1}
    return adapter_file({"profile": "datex2", "settings": settings})


async def test_measured_data_become_traffic_flows(traffic, adapter, peer):
    adapter(traffic)

    await peer.holds(3)
    flow = peer.entities[ID + "A1"]
    time = "2026-10-05T06:30:00Z"
    assert flow["type"] == "TrafficFlowObserved"
    assert flow["intensity"] == {"type": "Property", "value": 87, "unitCode": "C62", "observedAt": time}
    assert flow["averageVehicleSpeed"] == {"type": "Property", "value": 72.5, "unitCode": "KMH", "observedAt": time}
    assert flow["dateObserved"]["value"] == "2026-10-05T06:24:00Z/2026-10-05T06:30:00Z"
    assert flow["dateObservedFrom"]["value"] == "2026-10-05T06:24:00Z"
    assert flow["dateObservedTo"]["value"] == time
    assert flow["location"]["value"] == {"type": "Point", "coordinates": [4.3582, 48.9641]}
    assert flow["name"]["value"] == "Avenue de Paris"
    assert flow["laneDirection"]["value"] == "forward"


async def test_vehicles_an_hour_become_vehicles_counted_and_per_cent_a_fraction(traffic, adapter, peer):
    adapter(traffic)

    await peer.holds(3)
    flow = peer.entities[ID + "A2"]
    assert flow["intensity"]["value"] == 48  # 480 an hour, for 6 minutes
    assert flow["occupancy"] == {
        "type": "Property",
        "value": 0.125,
        "unitCode": "C62",
        "observedAt": "2026-10-05T06:30:00Z",
    }
    assert flow["congested"]["value"] is True


async def test_sentinels_and_values_in_error_are_no_values(traffic, adapter, peer):
    adapter(traffic)

    await peer.holds(3)
    assert "averageVehicleSpeed" not in peer.entities[ID + "A2"]
    assert "intensity" not in peer.entities[ID + "A3"]
    assert peer.entities[ID + "A3"]["averageVehicleSpeed"]["value"] == 49


@pytest.mark.parametrize("speed", ["0", "-1", "9999999", "9999999.0"])
async def test_speeds_that_stand_for_none(traffic, adapter, peer, feed, speed):
    feed.body = SAMPLE.replace(b"<speed>72.5</speed>", f"<speed>{speed}</speed>".encode())
    adapter(traffic)

    await peer.holds(3)
    assert "averageVehicleSpeed" not in peer.entities[ID + "A1"]
    assert peer.entities[ID + "A1"]["intensity"]["value"] == 87


async def test_a_feed_that_did_not_change_is_asked_for_and_not_sent_again(traffic, adapter, peer, feed):
    adapter(traffic)

    await until(lambda: feed.asked.count(304) >= 2)
    assert len(peer.requests) == 1


async def test_a_server_that_is_away_is_tried_again(traffic, adapter, peer, feed):
    feed.status = 503
    adapter(traffic)
    await until(lambda: feed.asked)

    feed.status = 200

    await peer.holds(3)


def site(name, value):
    return (
        f'<siteMeasurements><measurementSiteReference id="{name}" version="1"/>'
        "<measurementTimeDefault>2026-10-05T08:30:00+02:00</measurementTimeDefault>"
        f"{value}</siteMeasurements>"
    )


def flow(rate, index=0):
    return (
        f'<measuredValue index="{index}"><measuredValue><basicData xsi:type="TrafficFlow"><vehicleFlow>'
        f"<vehicleFlowRate>{rate}</vehicleFlowRate></vehicleFlow></basicData></measuredValue></measuredValue>"
    )


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (site("B", flow("many")), "the site B: vehicleFlowRate must be a number, not 'many'"),
        (site("B", flow(60, 1) + flow(60, 2)), "the site B: has several values of TrafficFlow"),
        (site("B", flow(-5)), "-0.5 is not between 0 and 100000"),
        (site("", flow(5)), "siteMeasurements without a measurementSiteReference with an id"),
        (site("B", flow(5)).replace("2026-10-05", "1970-01-01"), "cannot be when it was observed"),
    ],
)
async def test_a_broken_site_is_set_aside_and_the_others_go_on(traffic, adapter, peer, feed, tmp_path, broken, reason):
    feed.body = HEAD + broken.encode() + b"<siteMeasurements>" + REST
    adapter(traffic)

    await peer.holds(3)
    (letter,) = dead_letters(tmp_path / "state/test")
    assert reason in letter["reason"]


BOMB = f"""<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">
<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;"><!ENTITY d "&c;&c;&c;&c;&c;&c;&c;&c;&c;&c;">]>
<d2LogicalModel {XMLNS}>{site("&d;", flow(1))}</d2LogicalModel>"""
FILE = f"""<?xml version="1.0"?><!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/hostname">]>
<d2LogicalModel {XMLNS}>{site("A", flow("&f;"))}</d2LogicalModel>"""


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (BOMB.encode(), "XML with a document type declaration is not accepted"),
        (FILE.encode(), "XML with a document type declaration is not accepted"),
        (b"<html><body>Maintenance", "not well-formed XML"),
        (b"", "not well-formed XML"),
        (SAMPLE[: len(SAMPLE) // 2], "not well-formed XML"),
    ],
)
async def test_xml_that_is_broken_or_malicious_is_set_aside(traffic, adapter, peer, feed, tmp_path, body, reason):
    feed.body = body
    adapter(traffic)

    await until(lambda: dead_letters(tmp_path / "state/test"))
    feed.body = SAMPLE
    await peer.holds(3)
    letter = dead_letters(tmp_path / "state/test")[0]
    assert letter["stage"] == "decode"
    assert reason in letter["reason"]
    assert "passwd" not in str(peer.entities)


async def test_a_big_feed_passes_in_constant_memory(tmp_path, adapter_file, peer, feed):
    """20,000 sites, 20 MB: what a decoder of whole documents would need hundreds of megabytes for."""
    sites = "".join(site(f"S{number}", flow(60) + " " * 600) for number in range(20_000))
    feed.body = HEAD + sites.encode() + b"</payloadPublication></d2LogicalModel>"
    file = adapter_file({"profile": "datex2", "settings": {"site": "marne", "url": feed.url}, "source": {"times": 1}})
    process = Process([file], tmp_path)
    watched = psutil.Process(process.pid)
    most = 0
    try:
        while len(peer.entities) < 20_000:
            most = max(most, watched.memory_info().rss)
            await asyncio.sleep(0.05)
        assert await process.ended() == 0
    finally:
        process.dispose()

    assert most < 200_000_000


def test_version_3_measured_data(adapter_file):
    checked = examine(
        adapter_file({"profile": "datex2", "settings": {"site": "marne"}}), FOLDER / "samples/2-measured-v3.xml"
    )

    (flow,) = checked.entities
    assert flow["id"] == ID.removesuffix("MUC51.") + "MUC51.B1"
    assert flow["intensity"]["value"] == 60
    assert flow["averageVehicleSpeed"]["value"] == 48.5
    assert flow["dateObservedTo"]["value"] == "2026-10-05T06:30:00Z"


def test_the_french_site_table_as_it_is(adapter_file, tmp_path):
    (tmp_path / "refDir.csv").write_text("code_pme;source;axe;x_deb;y_deb\nMUC51.B1;DIRE;N44;700000;6600000\n")
    location = {"point": ["lookup('sites', site).x_deb", "lookup('sites', site).y_deb"], "crs": "EPSG:2154"}
    attributes = {"location": location, "name": {"value": "lookup('sites', site).axe"}, "laneDirection": None}
    definition = {
        "profile": "datex2",
        "settings": {"site": "marne"},
        "tables": {"sites": {"file": "refDir.csv", "key": "code_pme", "delimiter": ";"}},
        "entities": {"flow": {"attributes": attributes}},
    }

    checked = examine(adapter_file(definition), FOLDER / "samples/2-measured-v3.xml")

    assert checked.entities[0]["location"]["value"]["coordinates"] == [3.0, 46.5]
    assert checked.entities[0]["name"]["value"] == "N44"


async def test_a_feed_may_be_zipped(traffic, adapter, peer, feed):
    feed.body = gzip.compress(SAMPLE)
    adapter(traffic)

    await peer.holds(3)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (gzip.compress(SAMPLE)[:-20], "zipped, and broken"),
        (gzip.compress(SAMPLE + b" " * 50_000_000), "more than 1000000 bytes when unzipped"),
    ],
)
async def test_what_is_zipped_and_broken_or_a_bomb_is_set_aside(adapter_file, adapter, feed, tmp_path, body, reason):
    feed.body = body
    settings = {"site": "marne", "url": feed.url, "sites": str(SITES), "interval": 0.1}
    source = {"kind": "http_poll", "max_bytes": 1_000_000}
    adapter(adapter_file({"profile": "datex2", "settings": settings, "source": source}))

    await until(lambda: dead_letters(tmp_path / "state/test"))
    assert reason in dead_letters(tmp_path / "state/test")[0]["reason"]


LANES = f"""<d2LogicalModel {XMLNS}><payloadPublication xsi:type="MeasurementSiteTablePublication">
<measurementSiteTable id="T"><measurementSiteRecord id="PZH01">{{}}</measurementSiteRecord></measurementSiteTable>
</payloadPublication></d2LogicalModel>"""


def characteristics(index, lane, kind, vehicles):
    inner = f"<period>60</period><specificLane>{lane}</specificLane><specificMeasurementValueType>{kind}"
    inner += (
        f"</specificMeasurementValueType><specificVehicleCharacteristics>{vehicles}</specificVehicleCharacteristics>"
    )
    name = "measurementSpecificCharacteristics"
    return f'<{name} index="{index}"><{name}>{inner}</{name}></{name}>'


SHORT = "<lengthCharacteristic><comparisonOperator>lessThan</comparisonOperator></lengthCharacteristic>"
ANY = "<vehicleType>anyVehicle</vehicleType>"


def test_a_site_table_tells_lanes_apart_and_leaves_classes_of_vehicles_out(tmp_path):
    channels = [
        characteristics(1, "lane1", "trafficFlow", SHORT),
        characteristics(2, "lane1", "trafficFlow", ANY),
        characteristics(3, "lane2", "trafficFlow", ANY),
        characteristics(4, "lane2", "trafficSpeed", ANY),
    ]
    (tmp_path / "table.xml").write_text(LANES.format("".join(channels)))
    speed = '<averageVehicleSpeed numberOfInputValuesUsed="2"><speed>72</speed></averageVehicleSpeed>'
    flows = (f"<vehicleFlow><vehicleFlowRate>{rate}</vehicleFlowRate></vehicleFlow>" for rate in (60, 120, 240))
    values = [f'<basicData xsi:type="TrafficFlow">{each}</basicData>' for each in flows]
    values.append(f'<basicData xsi:type="TrafficSpeed">{speed}</basicData>')
    measured = "".join(
        f'<measuredValue index="{index}"><measuredValue>{value}</measuredValue></measuredValue>'
        for index, value in enumerate(values, 1)
    )
    (tmp_path / "feed.xml").write_text(
        f"<d2LogicalModel {XMLNS}><siteMeasurements><measurementSiteReference id='PZH01'/>"
        f"<measurementTimeDefault>2026-10-05T08:00:00Z</measurementTimeDefault>{measured}</siteMeasurements>"
        "</d2LogicalModel>"
    )
    (tmp_path / "nl.yaml").write_text(
        f"profile: datex2\nsettings: {{site: nl, site_table: {tmp_path / 'table.xml'}}}\n"
        "broker: {url: 'http://localhost:1026'}\n"
    )

    checked = examine(tmp_path / "nl.yaml", tmp_path / "feed.xml")

    assert (checked.failures, checked.invalid) == ([], [])
    one, two = checked.entities
    assert [one["id"].rpartition(":")[2], two["id"].rpartition(":")[2]] == ["nl-PZH01-lane1", "nl-PZH01-lane2"]
    assert [each["laneId"]["value"] for each in (one, two)] == [1, 2]
    assert [each["intensity"]["value"] for each in (one, two)] == [2, 4]
    assert "averageVehicleSpeed" not in one
    assert two["averageVehicleSpeed"]["value"] == 72
    assert two["dateObservedFrom"]["value"] == "2026-10-05T07:59:00Z"


def test_a_site_table_that_is_none_is_said(tmp_path):
    (tmp_path / "table.xml").write_text("<a/>")
    (tmp_path / "nl.yaml").write_text(
        f"profile: datex2\nsettings: {{site: nl, site_table: {tmp_path / 'table.xml'}}}\n"
        "broker: {url: 'http://localhost:1026'}\n"
    )

    with pytest.raises(DefinitionError, match="has no measurementSiteRecord"):
        examine(tmp_path / "nl.yaml", SITES)
