"""Where the broker may be made to send: checked when a subscription is written, and on each address on connecting."""

import asyncio
import socket
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from broker.contexts.addresses import AddressRefused, guarded_sockets
from ngsi_ld.errors import bad_request_data
from ngsi_ld.subscription import Endpoint

SCHEMES = ("http", "https", "mqtt", "mqtts", "sse")
EVENTS_SCHEME = "sse:"
"""Of the endpoint of subscriptions that are followed as streams of events and not sent anywhere."""


@dataclass(frozen=True, slots=True)
class EndpointPolicy:
    """What endpoints are allowed.

    With `private`, any address, which suits an installation whose tenants trust each other. Without it, those of the
    open internet and of `networks`, such as "10.1.0.0/16": for tenants that may not reach into the operator's network.
    """

    private: bool = True
    networks: tuple[str, ...] = ()
    schemes: tuple[str, ...] = SCHEMES

    def check(self, endpoint: Endpoint) -> None:
        """Raises BadRequestData for a scheme that is not allowed."""
        scheme = urlsplit(endpoint.uri).scheme.lower()
        if scheme not in self.schemes:
            raise bad_request_data(f"notification.endpoint.uri must begin with one of {', '.join(self.schemes)}")

    def check_url(self, url: str, where: str) -> None:
        """Raises BadRequestData for a URL of an address that may not be connected to.

        A name is looked up on connecting: what it leads to may change.
        """
        make = self.sockets()
        host = urlsplit(url).hostname or ""
        try:
            address = ip_address(host)
        except ValueError:
            return
        if make is None:
            return
        family = socket.AF_INET if address.version == 4 else socket.AF_INET6
        try:
            make((family, socket.SOCK_STREAM, 0, "", (host, 0))).close()
        except AddressRefused as refused:
            raise bad_request_data(f"{where} cannot be asked: {refused}") from refused

    def sockets(self) -> Callable[[tuple[Any, ...]], socket.socket] | None:
        """What makes the sockets of connections to endpoints; None where every address is allowed."""
        return None if self.private else guarded_sockets(self.networks)

    async def address(self, host: str, port: int) -> str:
        """An address of the host that may be connected to; AddressRefused, or another OSError if there is none."""
        make = self.sockets()
        if make is None:
            return host
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        make(found[0]).close()
        return str(found[0][4][0])
