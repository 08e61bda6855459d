"""The adapters' files that a municipality's integrator would write, and the CSV tables beside them."""

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import yaml

from beffroi.demo.inventory import SITE, entity_id
from beffroi.demo.territory import Territory


def write_files(
    folder: Path, territory: Territory, *, broker: str, talq_port: int, datex_url: str, mqtt_port: int
) -> list[Path]:
    """Writes lighting.yaml, traffic.yaml, irrigation.yaml and two tables; the adapters' files."""
    folder.mkdir(parents=True, exist_ok=True)
    _write_table(
        folder / "stations.csv",
        ("site", "longitude", "latitude", "name", "direction"),
        (
            (each.key, each.place.longitude, each.place.latitude, each.name, "forward" if each.forward else "backward")
            for each in territory.stations
        ),
    )
    _write_table(
        folder / "sensors.csv",
        ("devEui", "longitude", "latitude", "asset", "greenspace"),
        (
            (each.key, each.place.longitude, each.place.latitude, each.key, entity_id("Garden", each.garden.key))
            for each in territory.sensors
        ),
    )
    profiles: dict[str, tuple[str, dict[str, Any]]] = {
        "lighting": ("talq", {"port": talq_port}),
        "traffic": ("datex2", {"url": datex_url, "interval": 2, "sites": "stations.csv", "provider": "Demonstration"}),
        "irrigation": ("chirpstack", {"host": "127.0.0.1", "port": mqtt_port, "devices": "sensors.csv"}),
    }
    files = []
    for name, (profile, settings) in profiles.items():
        file = folder / f"{name}.yaml"
        definition = {
            "profile": profile,
            "settings": {"site": SITE, **settings},
            "broker": {"url": broker},
            "delivery": {"retry_most": 2.0},
            "state": str(folder / "state" / name),
        }
        file.write_text(yaml.safe_dump(definition, sort_keys=False, allow_unicode=True), encoding="utf-8")
        files.append(file)
    return files


def _write_table(file: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with file.open("w", encoding="utf-8", newline="") as table:
        writer = csv.writer(table)
        writer.writerow(header)
        writer.writerows(rows)
