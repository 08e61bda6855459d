"""What a registration tells of the requests to its source (5.2.9-2)."""

from aiohttp import web

DEAD = "http://127.0.0.1:9"


async def test_a_registration_shows_what_became_of_requests(tenant, register, server):
    front = await tenant("status")
    answers = [web.json_response([]), web.Response(status=500)]

    async def answer(_request):
        return answers.pop(0)

    source = await server(answer)
    dead = await register(front, DEAD, [{"entities": [{"type": "Ship"}]}])
    live = await register(front, source)
    assert "status" not in (await front.get(f"/csourceRegistrations/{live}")).json

    await front.get("/entities", type="Vehicle")
    await front.get("/entities", type="Ship")

    shown = (await front.get(f"/csourceRegistrations/{live}")).json
    assert (shown["status"], shown["timesSent"], shown["timesFailed"]) == ("ok", 1, 0)
    assert "lastSuccess" in shown
    assert "lastFailure" not in shown
    shown = (await front.get(f"/csourceRegistrations/{dead}")).json
    assert (shown["status"], shown["timesSent"], shown["timesFailed"]) == ("failed", 1, 1)

    await front.get("/entities", type="Vehicle")
    [shown] = (await front.get("/csourceRegistrations", type="Vehicle")).json
    assert (shown["status"], shown["timesSent"], shown["timesFailed"]) == ("failed", 2, 1)

    # The counts are the broker's: who changes a registration does not change them, who makes it anew begins anew.
    await front.patch(f"/csourceRegistrations/{live}", {"timesSent": 7, "description": "x"})
    assert (await front.get(f"/csourceRegistrations/{live}")).json["timesSent"] == 2
    assert (await front.delete(f"/csourceRegistrations/{live}")).status == 204
    body = {name: shown[name] for name in ("id", "type", "endpoint", "information")}
    assert (await front.post("/csourceRegistrations", body)).status == 201
    assert "timesSent" not in (await front.get(f"/csourceRegistrations/{live}")).json
