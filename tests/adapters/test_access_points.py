"""access_points: a controller's list, polled with its key."""

from aiohttp import web

from tests.adapters.profiles import FOLDER

DEVICES = (FOLDER / "access_points/samples/1-devices.json").read_text()


async def test_a_controller_s_list_becomes_access_points(runs, vendor, reader):
    body = [DEVICES]

    def devices(request):
        if request.headers["X-API-KEY"] != "k":
            return web.Response(status=401)
        return web.Response(text=body[0], content_type="application/json")

    await vendor.serve(devices=devices)
    places = str(FOLDER / "access_points/places.sample.csv")

    runs("access_points", {"url": f"{vendor.url}/devices", "api_key": "k", "interval": 0.2, "places": places})

    town_hall, library = (f"urn:ngsi-ld:AccessPoint:chalons-788a20de04{number}" for number in (12, 13))
    points = await reader.entities("AccessPoint", 2)
    assert points.keys() == {town_hall, library}
    assert points[town_hall]["apState"]["value"] == "up"
    assert points[town_hall]["clientsConnected"]["value"] == 17
    assert points[town_hall]["ssid"]["value"] == ["Agents", "Chalons-WiFi"]
    assert points[town_hall]["sdmWifiNetwork:macAddress"]["value"] == ["78:8a:20:de:04:12"]
    assert points[town_hall]["location"]["value"]["coordinates"] == [4.3645, 48.9567]
    assert points[library]["apState"]["value"] == "down"

    body[0] = DEVICES.replace('"num_sta": 17', '"num_sta": 3')

    await reader.entities("AccessPoint", 2, lambda entities: entities[town_hall]["clientsConnected"]["value"] == 3)
