"""Where the broker may be sent to by a URL that a client wrote: to the open internet, and what the operator adds.

A URL in an @context is a client's wish that the broker connect somewhere. The check is made on each address at the
moment of connecting, so that neither a redirect nor a name that resolves elsewhere the second time gets past it.
"""

import socket
from collections.abc import Callable, Iterable
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

_NAT64 = IPv6Network("64:ff9b::/96")

Address = IPv4Address | IPv6Address


class AddressRefused(OSError):
    """The address is not one that contexts may be fetched from."""


def guarded_sockets(allowed_networks: Iterable[str]) -> Callable[[tuple[Any, ...]], socket.socket]:
    """A maker of sockets for aiohttp that raises AddressRefused for what is neither public nor allowed.

    `allowed_networks` are such as "10.0.0.0/8"; ValueError where one is not a network.
    """
    allowed = [ip_network(network) for network in allowed_networks]

    def make(address_info: tuple[Any, ...]) -> socket.socket:
        family, kind, protocol, _, where = address_info
        address = ip_address(str(where[0]).partition("%")[0])
        if not _is_public(_meant(address)) and not any(
            each in network for network in allowed for each in _forms(address)
        ):
            raise AddressRefused(f"{address} is not a public address, and not in an allowed network")
        return socket.socket(family, kind, protocol)

    return make


def _is_public(address: Address) -> bool:
    return address.is_global and not address.is_multicast


def _meant(address: Address) -> Address:
    """The IPv4 address inside an IPv6 one that only wraps it."""
    if isinstance(address, IPv6Address):
        if address in _NAT64:
            return IPv4Address(int(address) & 0xFFFFFFFF)
        return address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else address)
    return address


def _forms(address: Address) -> tuple[Address, Address]:
    return address, _meant(address)
