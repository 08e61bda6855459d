"""The adapters' files that a municipality's integrator would write, and the CSV tables beside them."""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from beffroi.demo.inventory import SITE, entity_id
from beffroi.demo.streets import Place
from beffroi.demo.territory import Territory
from beffroi.demo.vendors import access_points, cameras, citizens, haystack


@dataclass(frozen=True, slots=True)
class Ends:
    """Where vendors' systems are, and where adapters listen for those that speak first (loopback ports)."""

    traffic: str
    events: str
    buildings: str
    wifi: str
    energy: Path
    mqtt: int
    talq: int
    gateway: str
    commands: int
    cameras: int
    reports: int


def write_files(folder: Path, territory: Territory, ends: Ends, *, broker: str) -> list[Path]:
    """Writes a YAML file for each trade, and the tables that they name; the adapters' files."""
    folder.mkdir(parents=True, exist_ok=True)
    _write_tables(folder, territory)
    files = []
    for name, definition in _definitions(ends, broker).items():
        file = folder / f"{name}.yaml"
        whole = {
            **definition,
            "settings": {"site": SITE, **definition["settings"]},
            "broker": {"url": broker},
            "delivery": {"retry_most": 2.0},
            "state": str(folder / "state" / name),
        }
        file.write_text(yaml.safe_dump(whole, sort_keys=False, allow_unicode=True), encoding="utf-8")
        files.append(file)
    return files


def _definitions(ends: Ends, broker: str) -> dict[str, dict[str, Any]]:
    """By trade: the profile, its settings, and what else the trade's file says."""
    mqtt = {"host": "127.0.0.1", "port": ends.mqtt}
    reports = {
        "kind": "open311",
        "port": ends.reports,
        "site": SITE,
        "api_keys": [citizens.KEY],
        "services": [{"service_code": code, "service_name": name} for code, name in citizens.SERVICES],
        "broker": {"url": broker},
    }
    return {
        "lighting": _file("talq", port=ends.talq, gateway_url=ends.gateway) | {"commands": {"port": ends.commands}},
        "traffic": _file("datex2", url=ends.traffic, interval=2, sites="stations.csv", provider="Demonstration"),
        "road-events": _file("datex2_situations", url=ends.events, interval=5, provider="Demonstration"),
        "traffic-lights": _file("traffic_lights", **mqtt, intersections="crossings.csv"),
        "irrigation": _file("chirpstack", **mqtt, devices="sensors.csv"),
        "buildings": _file(
            "haystack", url=ends.buildings, token=haystack.TOKEN, filter=haystack.FILTER, interval=haystack.EVERY
        ),
        "energy": _file("enedis", path=str(ends.energy), meters="meters.csv")
        | {"source": {"kind": "folder", "quiet": 0.5, "interval": 0.5}},
        "video-protection": _file(
            "camera_status", port=ends.cameras, hmac_secret=cameras.SECRET, cameras="cameras.csv"
        ),
        "wifi": _file(
            "access_points", url=ends.wifi, api_key=access_points.KEY, interval=access_points.EVERY, places="wifi.csv"
        ),
        "reports": _file("open311") | {"source": reports},
    }


def _file(profile: str, **settings: object) -> dict[str, Any]:
    return {"profile": profile, "settings": settings}


def _write_tables(folder: Path, territory: Territory) -> None:
    """What vendors do not know of their own things: where they are, what they are called, what they belong to."""
    equipment = territory.equipment
    _write_table(
        folder / "stations.csv",
        ("site", "longitude", "latitude", "name", "direction"),
        (
            (each.key, *_at(each.place), each.name, "forward" if each.forward else "backward")
            for each in territory.stations
        ),
    )
    _write_table(
        folder / "sensors.csv",
        ("devEui", "longitude", "latitude", "asset", "greenspace"),
        ((each.key, *_at(each.place), each.key, entity_id("Garden", each.garden.key)) for each in territory.sensors),
    )
    _write_table(
        folder / "crossings.csv",
        ("intersection", "name", "longitude", "latitude"),
        ((each.key, each.name, *_at(each.place)) for each in equipment.crossings),
    )
    _write_table(
        folder / "cameras.csv",
        ("camera", "name", "longitude", "latitude", "type"),
        ((each.key, each.name, *_at(each.place), each.kind) for each in equipment.cameras),
    )
    _write_table(
        folder / "meters.csv",
        ("prm", "name", "longitude", "latitude", "building"),
        ((each.key, each.name, *_at(each.place), entity_id("Building", each.building)) for each in equipment.meters),
    )
    _write_table(
        folder / "wifi.csv",
        ("mac", "longitude", "latitude", "service"),
        ((each.key, *_at(each.place), "public") for each in equipment.hotspots),
    )


def _at(place: Place) -> tuple[float, float]:
    return place.longitude, place.latitude


def _write_table(file: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with file.open("w", encoding="utf-8", newline="") as table:
        writer = csv.writer(table)
        writer.writerow(header)
        writer.writerows(rows)
