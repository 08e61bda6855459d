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
    PENDING,
    SENDING,
    TAKEN,
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
        self._lock = asyncio.Lock()
        self._woken = asyncio.Event()
        self._idle = asyncio.Event()
        self._stopping = False
        self._busy: set[str] = set()
        self._paused: dict[str, tuple[float, Backoff]] = {}
        self._delivered: dict[str, Order] = {}
        self._next = 0.0

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
                    if order.entity not in self._busy and self._paused_until(order.entity) <= time.time():
                        self._busy.add(order.entity)
                        await self._pace()
                        tasks.create_task(self._carry_out(order))
                await self._time_out()
                try:
                    await asyncio.wait_for(self._woken.wait(), self._until_next())
                except TimeoutError:
                    continue

    async def settle(self, orders: list[Order]) -> None:
        """States that the vendor's messages tell; on return they are on disk."""
        for order in orders:
            before = self._outcomes.current(order)
            if before is not None and (before.state, before.info) != (order.state, order.info):
                await self._state(before, order)

    async def drain(self) -> None:
        """Begins nothing more, and returns when what was begun has ended."""
        self._stopping = True
        if self._busy:
            await self._idle.wait()

    async def _carry_out(self, order: Order) -> None:
        try:
            await self._send(order)
        except Exception as error:  # a fault of ours in one command must not stop the others
            _log.exception("%s of %s: a command that fails here", order.name, order.entity)
            current = await self._ledger.get(order.id) or order
            await self._state(current, current.into(UNKNOWN, f"the adapter failed on it: {error!r}"))
        finally:
            self._busy.discard(order.entity)
            if not self._busy and self._stopping:
                self._idle.set()
            self.wake()

    async def _send(self, order: Order) -> None:
        """One try. Where it may be made again, the command is PENDING afterwards and its entity has a pause."""
        template = self._template(order)
        if template is None:
            await self._state(order, order.into(ERROR, "the adapter's file has no such command any more"))
            return
        if time.time() > order.expires:
            why = "" if order.info == TAKEN else f"; {order.info}"
            told = f"older than {template.time_to_live:g} s before it could be sent{why}"
            await self._state(order, order.into(EXPIRED, told))
            return
        sending = None
        try:
            request = template.request(order)
            await self._downlink.ready()
            sending = await self._state(order, order.into(SENDING, ""))
            if sending is None:
                return
            self._outcomes.wait(sending)  # the outcome may be told before the answer has come
            answer = await self._downlink.send(request)
            state, info = template.answered(sending, answer)
        except NotSent as error:
            self._pause(order)
            before = sending or order
            await self._state(before, before.into(PENDING, f"not sent yet: {error}"))
            return
        except Unsure as error:
            before = sending or order
            if template.idempotent:
                self._pause(order)
                await self._state(before, before.into(PENDING, f"to be sent again: {error}"))
            else:
                await self._state(before, before.into(UNKNOWN, f"it may have been carried out: {error}"))
            return
        except MappingError as error:
            before = sending or order
            state, info = (UNKNOWN, f"its answer cannot be read: {error.detail}") if sending else (ERROR, error.detail)
            await self._state(before, before.into(state, info))
            return
        await self._state(sending, sending.into(state, info))

    async def _state(self, before: Order, after: Order) -> Order | None:
        """Keeps a command's new state: audit, ledger, and who waits for what. None, and nothing done, where the command
        is not in the state before any more: a record was quicker than an answer, and knows more."""
        async with self._lock:
            if not await self._ledger.is_in(before):
                return None
            await self._audit.add([after])
            await self._ledger.change(after, before.state)
            self._delivered.pop(after.id, None)
            if after.state in WAITING:
                self._outcomes.wait(after)
            elif after.state != SENDING:
                self._outcomes.done(after)
            if after.state not in (PENDING, SENDING):
                self._paused.pop(after.entity, None)
            if after.state == DELIVERED:
                self._delivered[after.id] = after
                self.wake()
        self._changed(after.state)
        return after

    async def _time_out(self) -> None:
        now = time.time()
        for order in list(self._delivered.values()):
            seconds = self._timeout(order)
            if order.state_at + seconds <= now:
                await self._state(order, order.into(TIMEOUT, f"nothing was heard of it within {seconds:g} s"))

    def _timeout(self, order: Order) -> float:
        template = self._template(order)
        return self._options.timeout if template is None else template.timeout

    def _until_next(self) -> float | None:
        """Seconds until a command that is waited for is given up, or a pause ends."""
        ends = [order.state_at + self._timeout(order) for order in self._delivered.values()]
        ends += [until for until, _ in self._paused.values() if until > time.time()]
        return max(min(ends) - time.time(), 0.01) if ends else None

    def _pause(self, order: Order) -> None:
        """The next try waits, each time longer, and not longer than the command lives."""
        backoff = self._paused.get(order.entity, (0.0, Backoff(self._options.retry_first, self._options.retry_most)))[1]
        until = min(time.time() + backoff.next(), max(order.expires, time.time()) + 0.01)
        self._paused[order.entity] = until, backoff

    def _paused_until(self, entity: str) -> float:
        paused = self._paused.get(entity)
        return 0.0 if paused is None else paused[0]

    async def _pace(self) -> None:
        now = time.monotonic()
        wait, self._next = self._next - now, max(self._next, now) + 1 / self._options.rate
        if wait > 0:
            await asyncio.sleep(wait)

    def _template(self, order: Order) -> CommandTemplate | None:
        return self._templates.get((order.template, order.name))
