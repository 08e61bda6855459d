"""Where notifications go (5.2.15): HTTP and HTTPS as in 6.3.8, MQTT and MQTTS as in 7.2.

Beyond the standard, `sse:events` is the endpoint of those who go nowhere and are followed as a stream of events.
"""

import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

from ngsi_ld.errors import bad_request_data
from ngsi_ld.names import checked_uri
from ngsi_ld.subscription.values import array, members, one_of, positive, shown, text

GEO_JSON = "application/geo+json"
MEDIA_TYPES = ("application/json", "application/ld+json", GEO_JSON)
MQTT_VERSIONS = ("mqtt3.1.1", "mqtt5.0")
MQTT_QUALITIES = ("0", "1", "2")
EVENTS_URI = "sse:events"

_MEMBERS = ("uri", "accept", "timeout", "cooldown", "receiverInfo", "notifierInfo")
_HTTP, _MQTT = ("http", "https"), ("mqtt", "mqtts")
_MQTT_PORTS = {"mqtt": 1883, "mqtts": 8883}
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_FIELD_VALUE = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f]*")
_OURS = frozenset(
    {"connection", "content-length", "content-type", "host", "link", "transfer-encoding"}
    | {"ngsild-tenant", "ngsild-snapshot"}
)


@dataclass(frozen=True, slots=True)
class MqttEndpoint:
    """An MQTT endpoint (7.2): `mqtt[s]://[user][:password]@host[:port]/topic[/subtopic]*` and its notifierInfo."""

    host: str
    port: int
    tls: bool
    topic: str
    username: str | None
    password: str | None
    quality: int
    version: str


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where and how; `timeout` and `cooldown` are in seconds, None where none was given."""

    uri: str
    accept: str = MEDIA_TYPES[0]
    timeout: float | None = None
    cooldown: float | None = None
    receiver_info: dict[str, str] = field(default_factory=dict)
    notifier_info: dict[str, str] = field(default_factory=dict)
    mqtt: MqttEndpoint | None = None


def parse_endpoint(value: Any, where: str) -> Endpoint:
    """The endpoint, or BadRequestData that names the member at fault."""
    given = members(value, where, _MEMBERS)
    if "uri" not in given:
        raise bad_request_data(f"{where} must have a uri")
    uri = checked_uri(given["uri"], f"{where}.uri")
    accept = one_of(given.get("accept", MEDIA_TYPES[0]), MEDIA_TYPES, f"{where}.accept")
    receiver_info = _pairs(given, where, "receiverInfo")
    for name, content in receiver_info.items():
        if not _TOKEN.fullmatch(name) or name.lower() in _OURS:
            raise bad_request_data(f"{where}.receiverInfo: {shown(name)} cannot be sent as a header")
        if not _FIELD_VALUE.fullmatch(content):
            raise bad_request_data(f"{where}.receiverInfo: the value of {name} has control characters")
    notifier_info = _pairs(given, where, "notifierInfo")
    return Endpoint(
        uri,
        accept,
        positive(given["timeout"], f"{where}.timeout") / 1000 if "timeout" in given else None,
        positive(given["cooldown"], f"{where}.cooldown") / 1000 if "cooldown" in given else None,
        receiver_info,
        notifier_info,
        _parse_uri(uri, accept, notifier_info, where),
    )


def _pairs(endpoint: dict[str, Any], where: str, member: str) -> dict[str, str]:
    """An array of KeyValuePair (5.2.22); of equal keys the last one counts."""
    if member not in endpoint:
        return {}

    def pair(value: Any, place: str) -> tuple[str, str]:
        given = members(value, place, ("key", "value"))
        content = given.get("value")
        if not isinstance(content, str):
            raise bad_request_data(f"{place}.value must be a text, not {shown(content)}")
        return text(given.get("key"), f"{place}.key"), content

    if endpoint[member] == []:
        return {}
    return dict(array(endpoint[member], f"{where}.{member}", pair))


def _parse_uri(uri: str, accept: str, notifier_info: dict[str, str], where: str) -> MqttEndpoint | None:
    if uri == EVENTS_URI:
        return None
    parts = urlsplit(uri)
    scheme = parts.scheme.lower()
    if scheme not in _HTTP + _MQTT:
        raise bad_request_data(f"{where}.uri must begin with http, https, mqtt or mqtts, not {shown(parts.scheme)}")
    try:
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or (parts.netloc.rpartition("@")[2].endswith(":") and port is None):
        raise bad_request_data(f"{where}.uri must name a host, and a port from 1 to 65535 if any, not {shown(uri)}")
    if scheme in _MQTT:
        return _parse_mqtt(parts, host, port, accept, notifier_info, where)
    if "@" in parts.netloc:
        raise bad_request_data(f"{where}.uri must not hold a user or password; send them as a header with receiverInfo")
    return None


def _parse_mqtt(
    parts: SplitResult, host: str, port: int | None, accept: str, notifier_info: dict[str, str], where: str
) -> MqttEndpoint:
    if accept == GEO_JSON:
        raise bad_request_data(f"{where}.accept cannot be {GEO_JSON} for MQTT (7.2)")
    topic = unquote(parts.path[1:])
    if not topic or parts.query or parts.fragment or any(character in topic for character in "+#\0"):
        raise bad_request_data(f"{where}.uri must end with the topic to publish on, without + or #: mqtt://host/topic")
    info = f"{where}.notifierInfo"
    return MqttEndpoint(
        host,
        _MQTT_PORTS[parts.scheme] if port is None else port,
        parts.scheme == "mqtts",
        topic,
        unquote(parts.username) if parts.username is not None else None,
        unquote(parts.password) if parts.password is not None else None,
        int(one_of(notifier_info.get("MQTT-QoS", "0"), MQTT_QUALITIES, f"{info} MQTT-QoS")),
        one_of(notifier_info.get("MQTT-Version", "mqtt5.0"), MQTT_VERSIONS, f"{info} MQTT-Version"),
    )
