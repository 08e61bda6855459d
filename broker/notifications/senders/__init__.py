"""How a notification travels, by the scheme of its endpoint: HTTP (6.3.8), MQTT (7); or not at all (`sse:events`)."""

from broker.notifications.endpoints import EndpointPolicy
from broker.notifications.message import Message, Outcome, Sender
from broker.notifications.outbox import Policy
from broker.notifications.senders.http import HttpSender
from broker.notifications.senders.mqtt import MqttSender


class Kept:
    """What is followed as a stream of events is kept before it gets here, and sent nowhere."""

    async def send(self, message: Message) -> Outcome:
        """Done already."""
        return Outcome(True)

    async def close(self) -> None:
        """Nothing to leave."""


def senders(policy: Policy, endpoints: EndpointPolicy) -> dict[str, Sender]:
    """What sends to the endpoints of each scheme."""
    http = HttpSender(per_host=policy.per_endpoint, socket_factory=endpoints.sockets())
    mqtt = MqttSender(endpoints)
    return {"http": http, "https": http, "mqtt": mqtt, "mqtts": mqtt, "sse": Kept()}
