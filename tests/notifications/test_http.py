"""Notifications over HTTP, from the change log to the subscriber (5.8.6, 6.3.8)."""


async def test_a_change_is_notified(broker, receiver):
    subscription = await broker.subscribe(receiver.url)

    await broker.put("urn:ngsi-ld:T:1", speed=5)

    await receiver.until(1)
    [notification] = receiver.notifications
    assert notification["id"].startswith("urn:ngsi-ld:Notification:")
    assert notification["type"] == "Notification"
    assert notification["subscriptionId"] == subscription
    assert notification["notifiedAt"].endswith("Z")
    assert notification["data"] == [{"id": "urn:ngsi-ld:T:1", "type": "T", "speed": {"type": "Property", "value": 5}}]
