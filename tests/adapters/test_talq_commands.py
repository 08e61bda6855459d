"""Commands by TALQ: what an application writes at the broker reaches the gateway, and what the lamp did comes back."""

import pytest
from aiohttp import web

from tests.adapters.peer import free_port
from tests.adapters.test_talq import ANNOUNCEMENT, LAMP, UPDATE, Gateway

LAMP_ADDRESS = f"{ANNOUNCEMENT[0]['address']}/" + next(
    each["id"] for each in ANNOUNCEMENT[0]["functions"] if each["type"] == "LampActuatorFunction"
)


class Lighting:
    """A gateway that takes override commands: `answer` says with what status, and the lamp reports by PATCH."""

    def __init__(self, port):
        self.gateway = Gateway(port)
        self.commands = []
        self.answer = web.Response(status=202)

    async def take(self, request):
        self.commands.append((dict(request.query), dict(request.headers), await request.json()))
        return self.answer

    async def report(self, level, **parameters):
        state = {"type": "AttributeLevelState", "timestamp": "2026-10-06T00:00:00Z"}
        function = {
            "id": LAMP_ADDRESS.split("/")[1],
            "type": "LampActuatorFunction",
            "actualLightState": {**state, "value": {"name": "LevelState", "value": level}},
        }
        device = {name: ANNOUNCEMENT[0][name] for name in ("address", "name", "class")}
        return await self.gateway.send("PATCH", "/devices", [{**device, "functions": [function]}], **parameters)


@pytest.fixture
async def lighting(delivers_to, vendor, adapter, application):
    port = free_port()
    settings = {"site": "chalons", "port": port, "gateway_url": vendor.url, "gateway_token": "g"}
    commands = {"port": free_port(), "token": "t", "poll": 2}
    lighting = Lighting(port)
    lighting.file = delivers_to({"profile": "talq", "settings": settings, "commands": commands})
    await vendor.serve(**{"override-commands": lighting.take})
    lighting.process = adapter(lighting.file)
    await lighting.gateway.ready()
    await lighting.gateway.send("POST", "/devices", ANNOUNCEMENT)
    await lighting.gateway.send("PATCH", "/devices", UPDATE)
    await application.exists(LAMP)
    return lighting


async def test_dimming_reaches_the_gateway_and_what_the_lamp_did_comes_back(lighting, application):
    await application.command(LAMP, "setIlluminanceLevel", 0.3, requestedBy="pcc", rampTime=5)

    delivered = await application.becomes(LAMP, "setIlluminanceLevel", "DELIVERED")
    ((query, headers, body),) = lighting.commands
    assert body == {
        "addresses": [{"resource": "devices", "address": LAMP_ADDRESS}],
        "targetCommand": {
            "state": {"name": "LevelState", "value": 30},
            "reason": "override",
            "cmsRefId": query["talqRequestId"],
            "rampToLevelTime": 5,
        },
    }
    assert headers["talq-api-version"] == "2.7.1"
    assert headers["Authorization"] == "Bearer g"
    assert delivered["setIlluminanceLevel_status"]["commandId"]["value"] == query["talqRequestId"]

    await lighting.report(30, talqOriginRequestId=query["talqRequestId"])

    done = await application.becomes(LAMP, "setIlluminanceLevel", "OK")
    assert done["setIlluminanceLevel_info"]["value"] == {"name": "LevelState", "value": 30}
    assert done["illuminanceLevel"]["value"] == 0.3
