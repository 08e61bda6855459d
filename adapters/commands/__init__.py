"""Commands: an attribute that somebody writes becomes a vendor's downlink, and its outcome is written back.

The convention is that of FIWARE's IoT Agents, which applications know already: the command is the attribute `<name>`,
what became of it `<name>_status` (one of STATES) and `<name>_info` (in words, or what the equipment answered).

The way through: `intake` takes commands from notifications (`receiver`) and from looks at the broker (`subscriber`)
into the `ledger` on disk; `dispatcher` sends what waits there by a `downlink` and keeps every change of state in the
ledger and the `audit`; `outcomes` finds in the vendor's records what became of commands; `reporter` writes states back
through the adapter's queue.
"""

from adapters.commands.execution import Commands
from adapters.commands.states import STATES

__all__ = ["STATES", "Commands"]
