"""Commands for devices that ask for them: `commands: {send: {kind: fiware_iot}}` beside the source fiware_iot."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapters.commands.downlink import Answer, Request
from adapters.fiware_iot.mailbox import FILE, Mailbox
from adapters.options import read

_LAST = "/cmd"


@dataclass(frozen=True, slots=True)
class MailboxOptions:
    """None: how long a command is kept is its time to live."""


def open_downlink(options: Mapping[str, Any], where: str, state: Path) -> "MailboxDownlink":
    """From a definition's `commands.send: {kind: fiware_iot}`."""
    read(MailboxOptions, options, where)
    return MailboxDownlink(Mailbox(state / FILE))


class MailboxDownlink:
    """Puts commands where the source finds them, by the topic they would have over MQTT: /<key>/<device>/cmd."""

    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox

    async def run(self) -> None:
        """There is nothing to hold."""
        await asyncio.Event().wait()

    async def ready(self) -> None:
        """Always."""

    async def send(self, request: Request) -> Answer:
        """Keeps the command for the device."""
        device = request.topic.removesuffix(_LAST)
        await asyncio.to_thread(self._mailbox.put, device, request.body, request.expires)
        return Answer(200, "kept until the device asks for it")
