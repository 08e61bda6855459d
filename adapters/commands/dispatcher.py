"""From the ledger to the vendor: one command of an entity at a time, bounded in number and rate, each at most once."""

import asyncio
import logging
import time
from collections.abc import Callable

from adapters.backoff import Backoff
from adapters.commands.audit import Audit
from adapters.commands.downlink import Downlink, NotSent, Unsure
from adapters.commands.ledger import Ledger
from adapters.commands.options import CommandsOptions
from adapters.commands.outcomes import Outcomes
from adapters.commands.states import (
    DELIVERED,
    ERROR,
    EXPIRED,
    FINAL,
    PENDING,
    SENDING,
    TIMEOUT,
    UNKNOWN,
    WAITING,
    Order,
)
from adapters.commands.template import CommandTemplate
from adapters.errors import MappingError

_log = logging.getLogger("beffroi.adapter.commands")

_LOOKED_AT = 500
"""Commands that wait and are looked at for one that can go: those of entities that have one under way cannot."""


class Dispatcher:
    """`wake` after a command was taken; `settle` with what records tell. `changed` is called after each state."""

    def __init__(
        self,
        options: CommandsOptions,
        templates: dict[tuple[str, str], CommandTemplate],
        ledger: Ledger,
        audit: Audit,
        downlink: Downlink,
        outcomes: Outcomes,
        changed: Callable[[str], None],
    ) -> None:
        self._options = options
        self._templates = templates
        self._ledger = ledger
        self._audit = audit
        self._downlink = downlink
        self._outcomes = outcomes
        self._changed = changed
        self._woken = asyncio.Event()
        self._busy: set[str] = set()
        self._next = 0.0
        self._delivered: dict[str, Order] = {}
        self._sending: set[str] = set()
        self._told: set[str] = set()
        self._stopping = False
        self._idle = asyncio.Event()

    def wake(self) -> None:
        """There may be something to send."""
        self._woken.set()

    async def begin(self) -> None:
        """What the last run left: what was being sent is not known, what was delivered is waited for."""
        for order in await self._ledger.in_states([SENDING]):
            template = self._template(order)
            if template is not None and template.idempotent:
                await self._state(order, order.into(PENDING, "to be sent again: the adapter was stopped while sending"))
            else:
                told = "the adapter was stopped while sending; it may have been carried out, and is not sent again"
                await self._state(order, order.into(UNKNOWN, told))
        for order in await self._ledger.in_states(WAITING):
            if self._template(order) is not None:
                self._outcomes.wait(order)
                if order.state == DELIVERED:
                    self._delivered[order.id] = order

    async def run(self) -> None:
        """Sends until it is cancelled."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                self._woken.clear()
                for order in await self._ledger.in_states([PENDING], _LOOKED_AT):
                    if self._stopping or len(self._busy) >= self._options.concurrency:
                        break
                    if order.entity not in self._busy:
                        await self._pace()
                        self._busy.add(order.entity)
                        tasks.create_task(self._carry_out(order))
                await self._time_out()
                try:
                    await asyncio.wait_for(self._woken.wait(), self._until_timeout())
                except TimeoutError:
                    continue

    async def settle(self, orders: list[Order]) -> None:
        """States that the vendor's messages tell; on return they are on disk."""
        for order in orders:
            before = self._outcomes.current(order)
            if before is None or (before.state, before.info) == (order.state, order.info):
                continue
            if order.id in self._sending:
                self._told.add(order.id)
            await self._state(before, order)

    async def drain(self) -> None:
        """Begins nothing more, and returns when what was begun has ended."""
        self._stopping = True
        if self._busy:
            await self._idle.wait()

    async def _carry_out(self, order: Order) -> None:
        try:
            await self._send(order)
            self._sending.discard(order.id)
            self._told.discard(order.id)
        except Exception as error:  # a fault of ours in one command must not stop the others
            _log.exception("%s of %s: a command that fails here", order.name, order.entity)
            await self._state(order, order.into(UNKNOWN, f"the adapter failed on it: {error!r}"))
        finally:
            self._busy.discard(order.entity)
            if not self._busy and self._stopping:
                self._idle.set()
            self.wake()

    async def _send(self, order: Order) -> None:
        template = self._template(order)
        if template is None:
            await self._state(order, order.into(ERROR, "the adapter's file has no such command any more"))
            return
        backoff = Backoff(self._options.retry_first, self._options.retry_most)
        try:
            request = template.request(order)
        except MappingError as error:
            await self._state(order, order.into(ERROR, error.detail))
            return
        why = ""
        while True:
            if time.time() > order.expires:
                told = f"older than {template.time_to_live:g} s before it could be sent" + (f": {why}" if why else "")
                await self._state(order, order.into(EXPIRED, told))
                return
            try:
                await self._downlink.ready()
                order = await self._state(order, order.into(SENDING, ""))
                self._sending.add(order.id)
                self._outcomes.wait(order)  # the outcome may be told before the answer has come
                answer = await self._downlink.send(request)
            except NotSent as error:
                why = str(error)
                if order.state == SENDING:
                    self._outcomes.done(order)
                    order = await self._state(order, order.into(PENDING, f"not sent yet: {why}"))
                await asyncio.sleep(max(0.0, min(backoff.next(), order.expires - time.time() + 0.01)))
                continue
            except Unsure as error:
                if template.idempotent:
                    order = await self._state(order, order.into(PENDING, f"to be sent again: {error}"))
                    await asyncio.sleep(backoff.next())
                    continue
                await self._answered(order, UNKNOWN, f"it may have been carried out: {error}; not sent again")
                return
            break
        try:
            state, info = template.answered(order, answer)
        except MappingError as error:
            state, info = UNKNOWN, f"its answer cannot be read: {error}"
        await self._answered(order, state, info)

    async def _answered(self, order: Order, state: str, info: object) -> None:
        if order.id not in self._told:  # else a record was quicker than the answer, and knows more
            await self._state(order, order.into(state, info))

    async def _state(self, before: Order, after: Order) -> Order:
        """Keeps a command's new state: audit, ledger, and who waits for what."""
        await self._audit.add([after])
        await self._ledger.change(after, before.state)
        self._delivered.pop(after.id, None)
        if after.state in FINAL:
            self._outcomes.done(after)
        elif after.state in WAITING:
            self._outcomes.wait(after)
        if after.state == DELIVERED:
            self._delivered[after.id] = after
            self.wake()
        self._changed(after.state)
        return after

    async def _time_out(self) -> None:
        now = time.time()
        for order in list(self._delivered.values()):
            template = self._template(order)
            seconds = template.timeout if template is not None else self._options.timeout
            if order.state_at + seconds <= now:
                await self._state(order, order.into(TIMEOUT, f"nothing was heard of it within {seconds:g} s"))

    def _until_timeout(self) -> float | None:
        """Seconds until the next command that is waited for is given up."""
        ends = [
            order.state_at + (template.timeout if (template := self._template(order)) else self._options.timeout)
            for order in self._delivered.values()
        ]
        return max(min(ends) - time.time(), 0.01) if ends else None

    async def _pace(self) -> None:
        now = time.monotonic()
        wait, self._next = self._next - now, max(self._next, now) + 1 / self._options.rate
        if wait > 0:
            await asyncio.sleep(wait)

    def _template(self, order: Order) -> CommandTemplate | None:
        return self._templates.get((order.template, order.name))
