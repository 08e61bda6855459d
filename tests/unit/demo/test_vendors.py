"""The simulated vendors' messages have the shapes of the real ones."""

from datetime import UTC, datetime
from xml.etree import ElementTree

from beffroi.demo.territory import generate
from beffroi.demo.vendors import utc
from beffroi.demo.vendors.datex2 import document

NAMES = {"d": "http://datex2.eu/schema/2/2_0"}
END = datetime(2026, 11, 23, 17, 6, tzinfo=UTC)


def test_a_datex_document_says_flow_and_speed_of_each_station_as_the_french_network_does():
    stations = generate(lights=10).stations[:2]

    model = ElementTree.fromstring(document(stations, [101, 0], END))

    busy, empty = model.findall("d:payloadPublication/d:siteMeasurements", NAMES)
    assert model.findtext("d:payloadPublication/d:publicationTime", None, NAMES) == "2026-11-23T18:00:00.000+01:00"
    assert busy.find("d:measurementSiteReference", NAMES).get("id") == "CHA001.h1"
    assert busy.findtext("d:measurementTimeDefault", None, NAMES) == "2026-11-23T18:06:00.000+01:00"
    assert [value.get("index") for value in busy.findall("d:measuredValue", NAMES)] == ["0", "0"]
    assert busy.findtext(".//d:vehicleFlowRate", None, NAMES) == "1010"
    assert busy.find(".//d:vehicleFlow", NAMES).get("numberOfInputValuesUsed") == "101"
    assert empty.findtext(".//d:vehicleFlowRate", None, NAMES) == "0"
    assert empty.findtext(".//d:speed", None, NAMES) == "-1.0"


def test_times_are_as_the_broker_answers_them():
    assert utc(datetime(2026, 11, 23, 17, 2, tzinfo=UTC)) == "2026-11-23T17:02:00Z"
    assert utc(datetime(2026, 11, 23, 17, 2, 1, 250_000, tzinfo=UTC)) == "2026-11-23T17:02:01.25Z"
