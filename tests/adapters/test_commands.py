"""Commands in the engine: each once on the equipment, never when it is too old, and always with a word of what became
of it. A vendor's server stands for the equipment; the broker is a real one."""

import asyncio
import io
import json
import random
import re
import shutil
from pathlib import Path

import aiohttp
import pytest
import yaml
from aiohttp import web

from adapters.commands import audit
from adapters.commands.execution import templates_of
from adapters.definition import load
from adapters.errors import DefinitionError
from adapters.mapping import Mapper
from tests.adapters.application import Application
from tests.adapters.peer import free_port, until
from tests.adapters.profiles import definition_of

VALVE = "urn:ngsi-ld:DeviceMeasurement:chalons-v1"

DEFINITION = {
    "format": "json",
    "entities": {
        "valve": {
            "id": "urn:ngsi-ld:DeviceMeasurement:chalons-{name}",
            "type": "DeviceMeasurement",
            "observedAt": "at",
            "attributes": {"numValue": {"value": "flow", "unit": "L2", "type": "number"}},
            "address": "{unit: name}",
            "commands": {
                "setValue": {
                    "value": {"type": "number", "range": [0, 100]},
                    "request": {"url": "VENDOR/valves/{address.unit}", "body": "{open: value, reference: id}"},
                    "outcomes": [
                        {
                            "when": "done",
                            "of": "done",
                            "state": "record.fault && 'ERROR' || 'OK'",
                            "info": "record.fault",
                        }
                    ],
                }
            },
        }
    },
}


class Valves:
    """The vendor: a valve that can hang, refuse or be away; `sent` is what it was told."""

    def __init__(self, vendor, port):
        self.vendor = vendor
        self.port = port
        self.sent = []
        self.hang = False
        self.answer = (202, {"accepted": True})

    async def take(self, request):
        self.sent.append(await request.json())
        if self.hang:
            await asyncio.sleep(3600)
        status, body = self.answer
        return web.json_response(body, status=status)

    async def tell(self, **record):
        async with aiohttp.ClientSession() as session:
            for _ in range(200):
                try:
                    async with session.post(f"http://127.0.0.1:{self.port}/", json=record) as answer:
                        assert answer.status == 204
                        return
                except aiohttp.ClientConnectorError:
                    await asyncio.sleep(0.05)
        raise AssertionError("the adapter does not listen")


@pytest.fixture
def file(delivers_to, vendor):
    """Writes the adapter's file; what is given is laid over its commands, `command` over the command itself."""

    def write(source_port, command=None, **commands):
        definition = json.loads(json.dumps(DEFINITION).replace("VENDOR", vendor.url))
        definition["entities"]["valve"]["commands"]["setValue"] |= command or {}
        plumbing = {"port": free_port(), "token": "secret", "poll": 2, "retry_first": 0.05, "retry_most": 0.2}
        source = {"kind": "webhook", "port": source_port}
        return delivers_to({**definition, "source": source, "validate": "off", "commands": plumbing | commands})

    return write


@pytest.fixture
async def valves(vendor):
    valves = Valves(vendor, free_port())
    await vendor.serve(valves__v1=valves.take)
    return valves


@pytest.fixture
async def running(file, valves, adapter, application):
    async def start(**settings):
        path = file(valves.port, **settings)
        process = adapter(path)
        await valves.tell(name="v1", flow=1, at="2026-11-20T10:00:00Z")
        await application.exists(VALVE)
        return path, process

    return start


def commands_of(path):
    """The port of an adapter's file that notifications come to, and the audit trail's states."""
    definition = yaml.safe_load(path.read_text())
    return definition["commands"]["port"], definition["state"]


def audited(path):
    lines = Path(commands_of(path)[1], "commands.ndjson").read_text().splitlines()
    return [json.loads(line) for line in lines]


async def test_a_command_and_its_outcome(running, valves, application):
    path, _ = await running()

    await application.command(VALVE, "setValue", 40, requestedBy="pcc")
    delivered = await application.becomes(VALVE, "setValue", "DELIVERED")
    (sent,) = valves.sent
    assert sent == {"open": 40, "reference": delivered["setValue_status"]["commandId"]["value"]}

    await valves.tell(name="v1", done=sent["reference"])
    await application.becomes(VALVE, "setValue", "OK")
    lines = audited(path)
    assert [line["state"] for line in lines] == ["PENDING", "SENDING", "DELIVERED", "OK"]
    assert {(line["by"], line["value"], line["entity"]) for line in lines} == {("pcc", 40, VALVE)}
    shown = io.StringIO()
    assert audit.main(path, shown, io.StringIO()) == 0
    assert f"OK  {VALVE} setValue = 40 by pcc" in shown.getvalue()


async def test_the_equipment_says_that_it_failed(running, valves, application):
    await running()

    await application.command(VALVE, "setValue", 40)
    await application.becomes(VALVE, "setValue", "DELIVERED")
    await valves.tell(name="v1", done=valves.sent[0]["reference"], fault="the motor is blocked")

    entity = await application.becomes(VALVE, "setValue", "ERROR")
    assert entity["setValue_info"]["value"] == "the motor is blocked"


async def test_a_value_that_may_not_be_asked_is_not_sent(running, valves, application):
    await running()

    await application.command(VALVE, "setValue", 400)

    entity = await application.becomes(VALVE, "setValue", "ERROR")
    assert entity["setValue_info"]["value"] == "400 is not between 0 and 100"
    assert valves.sent == []


async def test_what_the_vendor_refuses(running, valves, application):
    await running()
    valves.answer = (422, {"detail": "the valve is locked"})

    await application.command(VALVE, "setValue", 4)

    entity = await application.becomes(VALVE, "setValue", "ERROR")
    assert entity["setValue_info"]["value"] == "answered 422: the valve is locked"


async def test_an_old_command_is_not_carried_out(running, valves, adapter, application):
    path, process = await running(time_to_live=0.5)
    process.kill()
    await application.command(VALVE, "setValue", 4)
    await asyncio.sleep(0.7)

    adapter(path)

    await application.becomes(VALVE, "setValue", "EXPIRED")
    assert valves.sent == []


async def test_what_an_earlier_command_said_is_not_of_a_later_one(running, valves, application):
    path, _ = await running(command={"request": {"url": f"{valves.vendor.url}/valves/v1", "body": "options"}})

    await application.command(VALVE, "setValue", 4, requestedBy="pcc", ramp=5)
    await application.becomes(VALVE, "setValue", "DELIVERED")
    await application.command(VALVE, "setValue", 5)  # a merge patch: requestedBy and ramp stay in the entity
    await until(lambda: len(valves.sent) == 2)

    assert valves.sent == [{"requestedBy": "pcc", "ramp": 5}, {}]
    assert [line["by"] for line in audited(path) if line["state"] == "PENDING"] == ["pcc", ""]


async def test_a_vendor_that_is_away_is_tried_until_the_command_is_too_old(running, valves, vendor, application):
    await running(time_to_live=1.5)
    await vendor.stop()

    await application.command(VALVE, "setValue", 4)

    entity = await application.becomes(VALVE, "setValue", "EXPIRED")
    assert "before it could be sent" in entity["setValue_info"]["value"]


async def test_nothing_heard_in_time_and_then_late(running, valves, application):
    await running(timeout=0.5)

    await application.command(VALVE, "setValue", 4)
    await application.becomes(VALVE, "setValue", "TIMEOUT")

    await valves.tell(name="v1", done=valves.sent[0]["reference"])
    await application.becomes(VALVE, "setValue", "OK")


async def test_commands_without_a_port_are_looked_for(running, valves, application):
    await running(port=None, poll=0.3)

    await application.command(VALVE, "setValue", 7)
    await application.becomes(VALVE, "setValue", "DELIVERED")
    await application.command(VALVE, "setValue", 8)
    await until(lambda: len(valves.sent) == 2)

    assert [each["open"] for each in valves.sent] == [7, 8]


async def test_a_command_given_while_the_adapter_is_stopped(running, valves, adapter, application):
    path, process = await running()
    process.kill()
    await application.command(VALVE, "setValue", 9)

    adapter(path)

    await application.becomes(VALVE, "setValue", "DELIVERED")
    assert [each["open"] for each in valves.sent] == [9]


async def notify(port, value, token="secret", dated=True):
    """The same notification of a command, as a broker that tries again sends it."""
    attribute = {"type": "Property", "value": value}
    if dated:
        attribute["modifiedAt"] = "2199-01-01T00:00:00.125Z"
    entity = {"id": VALVE, "type": "DeviceMeasurement", "setValue": attribute}
    notification = {"id": "urn:n", "type": "Notification", "notifiedAt": "2199-01-01T00:00:01Z", "data": [entity]}
    headers = {"Authorization": f"Bearer {token}"}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"http://127.0.0.1:{port}/", json=notification, headers=headers) as answer,
    ):
        return answer.status


async def test_a_command_notified_again_is_carried_out_once_also_across_kill_9(running, valves, adapter, log):
    path, process = await running()
    port = commands_of(path)[0]
    await until(lambda: "commands are taken" in log())

    assert await asyncio.gather(*(notify(port, 5) for _ in range(20))) == [204] * 20
    await until(lambda: len(valves.sent) == 1)
    process.kill()
    adapter(path)
    await until(lambda: log().count("commands are taken") == 2)
    assert await notify(port, 5) == 204
    await notify(port, 6)
    await until(lambda: len(valves.sent) == 2)

    assert [each["open"] for each in valves.sent] == [5, 6]


async def test_a_broker_that_does_not_say_when_a_command_was_written_is_asked(running, valves, application, log):
    path, _ = await running(poll=60)
    await until(lambda: "commands are taken" in log())
    port = commands_of(path)[0]

    assert await notify(port, 5, dated=False) == 204  # the broker has no such command
    await application.command(VALVE, "setValue", 6)
    await application.becomes(VALVE, "setValue", "DELIVERED")
    assert await notify(port, 6, dated=False) == 204  # the one that was carried out, in other words
    await asyncio.sleep(1)

    assert [each["open"] for each in valves.sent] == [6]


NO_NOTIFICATIONS = [
    "",
    "{",
    "[]",
    '{"data": 7}',
    '{"data": [7, null, {}, {"id": 7}, {"id": "urn:x"}]}',
    '{"data": [{"id": "VALVE", "type": "DeviceMeasurement", "setValue": 7}]}',
    '{"data": [{"id": "VALVE", "type": 7, "setValue": {"value": 7}}]}',
    '{"data": [{"id": "VALVE", "type": "DeviceMeasurement", "setValue": {"value": 7, "modifiedAt": []}}]}',
    '{"data": [{"id": "VALVE", "type": "DeviceMeasurement", "setValue": {"value": {}}, "setValue_status": 7}]}',
    '{"data": [{"id": "VALVE", "type": "DeviceMeasurement", "setValue": {"value": 1e400, "modifiedAt": "x"}}]}',
]


async def test_notifications_that_are_none_hurt_nobody(running, valves, application, log):
    path, _ = await running()
    port = commands_of(path)[0]
    await until(lambda: "commands are taken" in log())

    async with aiohttp.ClientSession(headers={"Authorization": "Bearer secret"}) as session:
        for body in NO_NOTIFICATIONS:
            async with session.post(f"http://127.0.0.1:{port}/", data=body.replace("VALVE", VALVE)) as answer:
                assert answer.status in (204, 400), body

    await application.command(VALVE, "setValue", 9)
    await application.becomes(VALVE, "setValue", "DELIVERED")
    assert [each["open"] for each in valves.sent][-1] == 9
    assert "Traceback" not in log()


async def test_killed_while_sending_it_says_that_it_does_not_know_and_sends_nothing_again(
    running, valves, adapter, application
):
    path, process = await running()
    valves.hang = True
    await application.command(VALVE, "setValue", 5)
    await until(lambda: valves.sent)
    process.kill()
    valves.hang = False

    adapter(path)

    entity = await application.becomes(VALVE, "setValue", "UNKNOWN")
    assert "may have been carried out" in entity["setValue_info"]["value"]
    await asyncio.sleep(0.5)
    assert len(valves.sent) == 1
    await valves.tell(name="v1", done=valves.sent[0]["reference"])  # what the equipment says later still counts
    await application.becomes(VALVE, "setValue", "OK")


async def test_what_is_idempotent_is_sent_again(running, valves, adapter, application):
    path, process = await running(command={"idempotent": True})
    valves.hang = True
    await application.command(VALVE, "setValue", 5)
    await until(lambda: valves.sent)
    process.kill()
    valves.hang = False

    adapter(path)

    await application.becomes(VALVE, "setValue", "DELIVERED")
    assert valves.sent[0] == valves.sent[1]


async def test_a_lost_state_directory_does_not_carry_out_again(running, valves, adapter, application):
    path, process = await running()
    await application.command(VALVE, "setValue", 5)
    await application.becomes(VALVE, "setValue", "DELIVERED")
    process.kill()
    shutil.rmtree(commands_of(path)[1])

    adapter(path)
    await valves.tell(name="v1", flow=1, at="2026-11-20T10:00:01Z")

    await application.becomes(VALVE, "setValue", "UNKNOWN")
    assert len(valves.sent) == 1


async def test_a_subscription_that_somebody_deleted_or_paused_is_made_again(running, valves, application, log):
    await running(poll=0.3)
    await until(lambda: "subscribed to commands" in log())

    await application.subscription("DELETE")
    shown = await application.subscribed()
    assert shown["watchedAttributes"] == ["setValue"]
    await application.subscription("PATCH", {"isActive": False})
    await application.subscribed(lambda shown: shown.get("isActive") is not False)


async def test_the_token_is_checked(running, valves, log):
    path, _ = await running()
    await until(lambda: "commands are taken" in log())

    assert await notify(commands_of(path)[0], 5, token="other") == 401
    assert valves.sent == []


async def test_commands_of_one_entity_go_one_after_the_other(running, valves, log):
    path, _ = await running(rate=1000)
    port = commands_of(path)[0]
    await until(lambda: "commands are taken" in log())

    for value in range(10):
        await notify(port, value)
    await until(lambda: len(valves.sent) == 10)

    assert [each["open"] for each in valves.sent] == list(range(10))


async def test_equipment_that_is_away_does_not_hold_up_other_equipment(file, vendor, adapter, application):
    valves = Valves(vendor, free_port())
    away = 503

    async def take(request):
        valves.sent.append(request.path)
        return web.json_response({}, status=away if request.path.endswith("v1") else 201)

    await vendor.serve(valves__v1=take, valves__v2=take)
    adapter(file(valves.port, command={"outcomes": []}, concurrency=1))
    for name in ("v1", "v2"):
        await valves.tell(name=name, flow=1, at="2026-11-20T10:00:00Z")
        await application.exists(VALVE[:-1] + name[1:])

    await application.command(VALVE, "setValue", 1)
    await until(lambda: valves.sent)
    await application.command(VALVE[:-1] + "2", "setValue", 2)

    await application.becomes(VALVE[:-1] + "2", "setValue", "OK")
    entity = await application.becomes(VALVE, "setValue", "PENDING")
    assert entity["setValue_info"]["value"] == "not sent yet: answered 503: {}"
    away = 201
    await application.becomes(VALVE, "setValue", "OK")


async def test_killed_at_random_each_command_is_carried_out_at_most_once(file, vendor, adapter, application):
    valves = Valves(vendor, free_port())
    chance = random.Random(8)

    async def take(request):
        valves.sent.append((await request.json())["reference"])
        await asyncio.sleep(chance.uniform(0, 0.2))
        return web.json_response({}, status=201)

    names = [f"v{number}" for number in range(24)]
    await vendor.serve(**{f"valves__{name}": take for name in names})
    path = file(valves.port, command={"outcomes": []}, time_to_live=120)
    process = adapter(path)
    for name in names:
        await valves.tell(name=name, flow=1, at="2026-11-20T10:00:00Z")
    entities = [f"urn:ngsi-ld:DeviceMeasurement:chalons-{name}" for name in names]
    await asyncio.gather(*map(application.exists, entities))

    for number, entity in enumerate(entities):
        await application.command(entity, "setValue", number)
        if number % 6 == 5:
            await asyncio.sleep(chance.uniform(0, 0.3))
            process.kill()
            process = adapter(path)

    ended = await asyncio.gather(*(application.ends(entity, "setValue") for entity in entities))
    told = {status["commandId"]["value"]: status["value"] for status in ended}
    assert len(told) == len(names)
    assert set(told.values()) <= {"OK", "UNKNOWN"}
    assert len(valves.sent) == len(set(valves.sent))
    assert {command for command, state in told.items() if state == "OK"} <= set(valves.sent)


async def test_a_broker_that_is_killed_loses_no_command_and_doubles_none(own_broker, file, vendor, adapter, tmp_path):
    valves = Valves(vendor, free_port())
    valves.answer = (201, {})
    await vendor.serve(valves__v1=valves.take)
    path = file(valves.port, command={"outcomes": []}, time_to_live=120)
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), "broker": {"url": own_broker.url}}))
    application = Application(own_broker.url, "")
    adapter(path)
    await valves.tell(name="v1", flow=1, at="2026-11-20T10:00:00Z")
    await application.exists(VALVE)

    for value in range(3):
        await application.command(VALVE, "setValue", value)
        await own_broker.kill()
        await own_broker.start()
        await until(lambda value=value: len(valves.sent) > value, 30)

    await application.becomes(VALVE, "setValue", "OK", 30)
    assert [each["open"] for each in valves.sent] == [0, 1, 2]


def wrong(path, value):
    """A file with another value at a path of the command `setValue`, or of `commands`."""
    definition = json.loads(json.dumps(DEFINITION))
    definition |= {"source": {"kind": "webhook", "port": 1}, "commands": {"port": 2}}
    command = definition["entities"]["valve"]["commands"]["setValue"]
    place, name = {"commands": definition["commands"], "request": command["request"]}.get(path[0], command), path[-1]
    place[name] = value
    return definition


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        (("commands", "prot"), 1, "commands.prot: is not known; did you mean port"),
        (("commands", "rate"), 0, "commands.rate: must be more than 0"),
        (("commands", "send"), {"kind": "mqtt"}, "request.topic: is missing: commands are sent by mqtt"),
        (("request", "url"), "http://x/{a", "request.url: has braces that are not in pairs"),
        (("request", "url"), "", "request.url: is missing"),
        (("request", "topic"), "a", "must have a url (for HTTP) or a topic (for MQTT)"),
        (("request", "body"), "a ==", "request.body: is not a JMESPath expression"),
        (("command", "outcomes"), [{"of": "a"}], "outcomes[0].state: is missing"),
        (("command", "value"), {"range": [5]}, "value.range: must be [least, most]"),
    ],
)
def test_what_is_wrong_in_a_file_is_said(adapter_file, path, value, told):
    definition = load(adapter_file(wrong(path, value)))

    with pytest.raises(DefinitionError, match=re.escape(told)):
        templates_of(definition, Mapper(definition))


def test_commands_that_a_profile_does_not_have(adapter_file):
    definition = load(adapter_file({**definition_of("kuzzle"), "commands": {"port": 2}}))

    with pytest.raises(DefinitionError, match="no entity template has any"):
        templates_of(definition, Mapper(definition))
