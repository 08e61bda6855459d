"""Every trade of the territory: its vendor's system, simulated, and the page of what that handed over."""

import random
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from beffroi.demo.adapters import Ends
from beffroi.demo.broker import BrokerClient
from beffroi.demo.ledger import Page
from beffroi.demo.processes import free_port
from beffroi.demo.territory import SEED, Territory
from beffroi.demo.vendors import Vendor
from beffroi.demo.vendors.access_points import WifiController
from beffroi.demo.vendors.cameras import VideoSystem
from beffroi.demo.vendors.chirpstack import ChirpStack
from beffroi.demo.vendors.citizens import Citizens
from beffroi.demo.vendors.command_post import CommandPost
from beffroi.demo.vendors.datex2 import DatexPublisher
from beffroi.demo.vendors.enedis import EnergySupplier
from beffroi.demo.vendors.haystack import BuildingSystem
from beffroi.demo.vendors.mqtt import Messages
from beffroi.demo.vendors.road_events import RoadEvents
from beffroi.demo.vendors.talq import TalqGateway
from beffroi.demo.vendors.traffic_lights import TrafficLights


@dataclass(frozen=True, slots=True)
class Trades:
    """The vendors' systems and their pages by trade, and where an adapter finds each."""

    vendors: dict[str, Vendor]
    pages: dict[str, Page]
    ends: Ends


async def open_trades(
    territory: Territory, broker: BrokerClient, folder: Path, page: Callable[[], Page], running: AsyncExitStack
) -> Trades:
    """Starts the vendors' systems; `running` stops them."""
    rng = random.Random(SEED)  # noqa: S311 - made-up values
    messages = await running.enter_async_context(Messages())
    equipment = territory.equipment
    talq, cameras, reports = free_port(), free_port(), free_port()
    inbox = folder / "enedis"
    pages = {name: page() for name in _TRADES}
    publisher = DatexPublisher(territory.stations, pages["traffic"], rng)
    operator = RoadEvents(territory.stations, pages["road events"], rng)
    system = BuildingSystem(territory.buildings, equipment.points, pages["buildings"], rng)
    controller = WifiController(equipment.hotspots, pages["public Wi-Fi"], rng)
    gateway = TalqGateway(
        f"http://127.0.0.1:{talq}", territory.lights, territory.cabinets, pages["street lighting"], rng
    )
    parties: tuple[Vendor, ...] = (
        gateway,
        publisher,
        operator,
        TrafficLights(messages, equipment.crossings, pages["traffic lights"], rng),
        ChirpStack(messages, territory.sensors, pages["irrigation"], rng),
        system,
        EnergySupplier(inbox, equipment.meters, pages["energy"], rng),
        VideoSystem(f"http://127.0.0.1:{cameras}/cameras", equipment.cameras, pages["video protection"], rng),
        controller,
        CommandPost(broker, territory.lights, gateway.announced, gateway.obeyed, pages["command post"], rng),
        Citizens(f"http://127.0.0.1:{reports}", broker, territory.lights, pages["citizens"], rng),
    )
    for vendor in parties:
        await vendor.start()
        running.push_async_callback(vendor.stop)
    ends = Ends(
        traffic=publisher.url,
        events=operator.url,
        buildings=system.url,
        wifi=controller.url,
        energy=inbox,
        mqtt=messages.port,
        talq=talq,
        gateway=gateway.url,
        commands=free_port(),
        cameras=cameras,
        reports=reports,
    )
    return Trades(dict(zip(_TRADES, parties, strict=True)), pages, ends)


_TRADES = (
    "street lighting",
    "traffic",
    "road events",
    "traffic lights",
    "irrigation",
    "buildings",
    "energy",
    "video protection",
    "public Wi-Fi",
    "command post",
    "citizens",
)
