"""What the API works with, made once when the broker starts and handed to every request."""

from dataclasses import dataclass

from broker.contexts import Contexts
from broker.operations.subscriptions import Subscriptions
from broker.settings import Settings
from broker.store.store import Store


@dataclass(frozen=True, slots=True)
class Services:
    """The settings and the parts that operations need."""

    settings: Settings
    store: Store
    contexts: Contexts
    subscriptions: Subscriptions
