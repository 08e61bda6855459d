"""The @contexts that notifications are written with, of the moment, without anything waiting for them."""

import asyncio
import contextlib
import logging

from broker.contexts import Contexts
from broker.notifications.registry import Registered
from ngsi_ld.context import CORE
from ngsi_ld.errors import NgsiLdError
from ngsi_ld.names import Names

logger = logging.getLogger(__name__)


class Naming:
    """The names of the subscriptions at work."""

    def __init__(self, contexts: Contexts) -> None:
        self._contexts = contexts
        self._refreshing: dict[tuple[str, str], asyncio.Task[None]] = {}

    def known(self, tenant: str, context: str) -> Names:
        """The @context of a URL if it is at hand; else the core one, until `refresh` has got it."""
        return self._contexts.known(tenant, context) or CORE

    def of(self, one: Registered) -> Names:
        """Its @context; the last one known while a newer one is being had, so that nothing waits for it."""
        known = self._contexts.known(one.tenant, one.subscription.context)
        if known is not None:
            one.names = known
        else:
            key = (one.tenant, one.subscription.context)
            if key not in self._refreshing:
                task = self._refreshing[key] = asyncio.create_task(self.refresh(one), name=f"@context {key[1]}")
                task.add_done_callback(lambda _task: self._refreshing.pop(key, None))
        return one.names

    async def ensure(self, one: Registered) -> None:
        """Gets its @context where it is not at hand."""
        if self._contexts.known(one.tenant, one.subscription.context) is None:
            await self.refresh(one)

    async def refresh(self, one: Registered) -> None:
        """Gets its @context. Until that is there names go out as IRIs, which is JSON-LD that loses nothing."""
        with contextlib.suppress(asyncio.CancelledError):
            try:
                one.names = await self._contexts.resolve(one.tenant, one.subscription.context)
            except NgsiLdError as error:
                logger.warning("the @context of %s cannot be had: %s", one.subscription.id, error.detail)

    def end(self) -> None:
        """Gets none any more."""
        for task in list(self._refreshing.values()):
            task.cancel()
