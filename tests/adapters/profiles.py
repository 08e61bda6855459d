"""Each profile with the settings that it cannot do without."""

from pathlib import Path

import adapters

FOLDER = Path(adapters.__file__).parent

SETTINGS = {
    "csv_generic": {
        "path": "/tmp",
        "type": "DeviceMeasurement",
        "id": "compteur",
        "time": "date",
        "decimal": ",",
        "attributes": {
            "numValue": {"value": '"index m3"', "type": "number", "unit": "MTQ"},
            "controlledProperty": {"const": "waterConsumption", "static": True},
            "location": {"point": ["longitude", "latitude"], "static": True},
        },
    },
    "json_generic": {
        "records": "valves",
        "type": "DeviceMeasurement",
        "id": "ref",
        "time": "at",
        "attributes": {
            "numValue": {"value": "flow.lpm", "type": "number", "unit": "L2"},
            "controlledProperty": {"const": "waterFlow", "static": True},
        },
    },
    "access_points": {"url": "http://127.0.0.1:1/stat/device"},
    "open311": {"url": "http://127.0.0.1:1"},
    "haystack": {"url": "http://127.0.0.1:1/api/x"},
    "kuzzle": {"url": "ws://127.0.0.1:1", "index": "engine-chalons", "api_key": "k"},
    "enedis": {"path": "/tmp"},
    "sensorthings": {"url": "http://127.0.0.1:1/v1.1"},
}
"""What a profile needs besides a site."""


def definition_of(profile, **settings):
    """A definition of the profile as an installation would begin it."""
    return {"profile": profile, "settings": {"site": "chalons", **SETTINGS.get(profile, {}), **settings}}
