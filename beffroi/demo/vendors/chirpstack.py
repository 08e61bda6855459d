"""A ChirpStack 4 network server with Dragino LSE01 soil sensors: uplinks and status events on an MQTT broker.

As from the real sensors' codec, some numbers are texts, and a message's fields at their default value are absent.
"""

import asyncio
import base64
import random
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from beffroi.demo.inventory import entity_id
from beffroi.demo.ledger import Page
from beffroi.demo.territory import Sensor
from beffroi.demo.vendors import Vendor, now, utc
from beffroi.demo.vendors.mqtt import Messages

APPLICATION = "5bb92de6-49b3-49af-a366-34667f2230be"
_EVERY = 1.5


class ChirpStack(Vendor):
    """Publishes for all sensors."""

    protocol = "ChirpStack v4, MQTT"

    def __init__(self, messages: Messages, sensors: Sequence[Sensor], page: Page, rng: random.Random) -> None:
        self._messages = messages
        self._sensors = sensors
        self._page = page
        self._rng = rng
        self._water = {sensor.key: rng.uniform(12, 38) for sensor in sensors}
        self._frames = dict.fromkeys(self._water, 0)

    async def round(self) -> int:
        """Once somebody has subscribed to its events: an uplink of each sensor; the number of sensors."""
        await self._messages.awaited("application/")
        for sensor in self._sensors:
            await self._uplink(sensor)
        return len(self._sensors)

    async def keep_sending(self) -> None:
        """An uplink every second and a half; one in ten is followed by the sensor's status."""
        while True:
            await asyncio.sleep(_EVERY)
            sensor = self._rng.choice(self._sensors)
            await self._uplink(sensor)
            if self._rng.random() < 0.1:
                await self._status(sensor)

    async def _uplink(self, sensor: Sensor) -> None:
        """One `up` event: the soil dries, and is watered when it is dry."""
        water = self._water[sensor.key] - self._rng.uniform(0, 0.4)
        self._water[sensor.key] = water = water if water > 8 else 36.0
        temperature = round(self._rng.uniform(9, 14), 2)
        time = now()
        self._frames[sensor.key] += 1
        content = {
            "water_SOIL": f"{water:.2f}",
            "water_SOIL_f": round(water, 2),
            "temp_SOIL": f"{temperature:.2f}",
            "temp_SOIL_f": temperature,
            "conduct_SOIL": float(self._rng.randint(20, 90)),
            "temp_DS18B20": "0.00",
            "BatV": 3.3,
            "Mod": 0.0,
            "i_flag": 0.0,
            "s_flag": 1.0,
        }
        event = self._event(sensor, time) | {
            "devAddr": "01acdec6",
            "adr": True,
            "dr": 5,
            "fCnt": self._frames[sensor.key],
            "fPort": 2,
            "data": base64.b64encode(self._rng.randbytes(11)).decode(),
            "object": content,
            "rxInfo": [
                {
                    "gatewayId": "a84041ffff1f4b70",
                    "uplinkId": self._rng.getrandbits(16),
                    "rssi": self._rng.randint(-118, -71),
                    "snr": round(self._rng.uniform(-8, 9), 1),
                    "location": {"latitude": 48.95717, "longitude": 4.36366, "altitude": 105.0},
                }
            ],
            "txInfo": {
                "frequency": 867100000,
                "modulation": {"lora": {"bandwidth": 125000, "spreadingFactor": 7, "codeRate": "CR_4_5"}},
            },
        }
        await self._publish(sensor, "up", event)
        pairs = [(entity_id(entity_type, sensor.key), utc(time)) for entity_type in ("Device", "GreenspaceRecord")]
        self._page.write_all(pairs)

    async def _status(self, sensor: Sensor) -> None:
        time = now()
        await self._publish(sensor, "status", self._event(sensor, time) | {"margin": 10, "batteryLevel": 88.3})
        self._page.write(entity_id("Device", sensor.key), utc(time))

    def _event(self, sensor: Sensor, time: datetime) -> dict[str, Any]:
        return {
            "deduplicationId": str(UUID(int=self._rng.getrandbits(128), version=4)),
            "time": time.isoformat(timespec="milliseconds"),
            "deviceInfo": {
                "tenantId": "52f14cd4-c6f1-4fbd-8f87-4025e1d49242",
                "tenantName": "Chalons",
                "applicationId": APPLICATION,
                "applicationName": "Irrigation",
                "deviceProfileId": "37cf9cbd-e7e1-4269-8c22-b46bb5261a2a",
                "deviceProfileName": "Dragino_LSE01",
                "deviceName": sensor.name,
                "devEui": sensor.key,
                "tags": {"dev_type": "dragino_lse01"},
            },
        }

    async def _publish(self, sensor: Sensor, event: str, content: dict[str, Any]) -> None:
        topic = f"application/{APPLICATION}/device/{sensor.key}/event/{event}"
        await self._messages.publish(topic, orjson.dumps(content))
