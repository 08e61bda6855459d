"""What became of commands, told by the vendor's records of the feed."""

import logging
from collections.abc import Iterable
from typing import Any

from adapters.commands.states import TIMEOUT, UNKNOWN, Order
from adapters.commands.template import CommandTemplate, OutcomeTemplate, as_state, seen
from adapters.errors import MappingError
from adapters.mapping.compiler import is_false

_log = logging.getLogger("beffroi.adapter.commands")

_GIVEN_UP = (TIMEOUT, UNKNOWN)


class Outcomes:
    """The commands that wait to be told of, by the key that records name them by."""

    def __init__(self, templates: Iterable[CommandTemplate]) -> None:
        self._templates = {(each.template, each.name): each for each in templates}
        rules = {id(rule): rule for each in self._templates.values() for rule in each.outcomes}
        self._rules = tuple(rules.values())
        self._waiting: dict[str, list[Order]] = {}

    def wait(self, order: Order) -> None:
        """From now on, a record can tell what becomes of it, and not of those with its key that were given up."""
        if not self._templates[(order.template, order.name)].outcomes:
            return
        orders = self._waiting.get(order.key, [])
        places = [at for at, each in enumerate(orders) if each.id == order.id]
        if places:
            orders[places[0]] = order
        else:
            self._waiting[order.key] = [each for each in orders if each.state not in _GIVEN_UP] + [order]

    def done(self, order: Order) -> None:
        """No record is of it any more."""
        orders = [each for each in self._waiting.get(order.key, ()) if each.id != order.id]
        if orders:
            self._waiting[order.key] = orders
        else:
            self._waiting.pop(order.key, None)

    def current(self, order: Order) -> Order | None:
        """The command as it is now; None where no record is of it any more."""
        return next((each for each in self._waiting.get(order.key, ()) if each.id == order.id), None)

    def told(self, record: Any) -> list[Order]:
        """The commands that a record tells of, in the states that it tells, the oldest of those with one key.

        A record that a rule cannot be applied to tells nothing."""
        if not self._waiting:
            return []
        changed: list[Order] = []
        for rule in self._rules:
            try:
                if rule.when is None or not is_false(rule.when(record)):
                    keys = rule.of(record)
                    for key in keys if isinstance(keys, list) else [keys]:
                        changed += self._told(rule, str(key), record)
            except MappingError as error:
                _log.warning("what a record tells of commands is not clear: %s", error)
        return changed

    def _told(self, rule: OutcomeTemplate, key: str, record: Any) -> list[Order]:
        for order in self._waiting.get(key, ()):
            if rule in self._templates[(order.template, order.name)].outcomes:
                context = {"record": record, "command": seen(order)}
                state = as_state(rule.state(context))
                if state is not None:
                    info = None if rule.info is None else rule.info(context)
                    return [order.into(state, "told by the equipment" if info is None else info)]
        return []
