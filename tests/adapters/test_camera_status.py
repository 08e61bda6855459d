"""camera_status: a video management system posts; nothing of an image goes any further."""

import hashlib
import hmac
import json

import aiohttp

from tests.adapters.peer import dead_letters, free_port, until
from tests.adapters.profiles import FOLDER

COUNTS, STATES = ((FOLDER / "camera_status/samples" / name).read_bytes() for name in ("1-counts.json", "2-states.json"))


async def test_states_and_counts_and_never_images(runs, reader, log, tmp_path):
    port = free_port()
    cameras = str(FOLDER / "camera_status/cameras.sample.csv")
    runs("camera_status", {"port": port, "hmac_secret": "s", "cameras": cameras})
    await until(lambda: "listening" in log())

    async with aiohttp.ClientSession() as session:

        async def post(body, secret=b"s"):
            signature = "sha256=" + hmac.new(secret, body, hashlib.sha256).hexdigest()
            headers = {"X-Signature": signature}
            async with session.post(f"http://127.0.0.1:{port}/cameras", data=body, headers=headers) as answer:
                return answer.status

        assert await post(COUNTS, b"other") == 401
        assert await post(COUNTS) == 204
        flows = await reader.entities("ItemFlowObserved", 2)
        assert await post(STATES) == 204
        assert (
            await post(json.dumps({"camera": "CAM-9", "faceImage": "aGk=", "counts": [{"kind": "dog"}]}).encode())
            == 204
        )

    people = flows["urn:ngsi-ld:ItemFlowObserved:chalons-CAM-017-1-person-inbound"]
    assert people["intensity"]["value"] == 34
    assert people["itemType"]["value"] == "people"
    assert people["dateObserved"]["value"] == "2026-10-05T06:00:00Z/2026-10-05T06:05:00Z"
    bicycles = flows["urn:ngsi-ld:ItemFlowObserved:chalons-CAM-017-1-bicycle-all"]
    assert (bicycles["itemType"]["value"], bicycles["itemSubType"]["value"]) == ("vehicle", "bicycle")
    camera_id = "urn:ngsi-ld:Camera:chalons-CAM-017"
    found = await reader.entities("Camera", 2, lambda entities: entities[camera_id]["on"]["value"] is False)
    assert found[camera_id]["cameraName"]["value"] == "Place Foch, nord"
    assert "vms.example" not in json.dumps([found, flows])
    await until(lambda: dead_letters(tmp_path / "state/test"))
    (letter,) = dead_letters(tmp_path / "state/test")
    assert "the kind of a count must be one of people" in letter["reason"].replace("person, ", "")
    assert "aGk=" not in json.dumps(letter)
