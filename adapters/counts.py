"""What an adapter did, as Prometheus metrics; every one has the label `adapter`."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge

_LABEL = ["adapter"]


class Counts:
    """The metrics of a process; `of` gives those of one adapter."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()

        def counter(name: str, text: str, labels: list[str] = _LABEL) -> Counter:
            return Counter(f"beffroi_adapter_{name}", text, labels, registry=self.registry)

        def gauge(name: str, text: str) -> Gauge:
            return Gauge(f"beffroi_adapter_{name}", text, _LABEL, registry=self.registry)

        self.records = counter("records", "Records received from the source")
        self.queued = counter("entities_queued", "Entities mapped and safe on disk")
        self.sent = counter("entities_sent", "Entities the broker has taken")
        self.skipped = counter("entities_skipped", "Entities not sent: all of it late or known to the broker")
        self.late = counter("attributes_late", "Attributes left out: older than what the broker has")
        self.late_recorded = counter("attributes_late_recorded", "Late attributes that went to the broker's history")
        self.late_dropped = counter("attributes_late_dropped", "Late attributes dropped: the broker keeps no history")
        self.duplicates = counter("attributes_duplicate", "Attributes left out: the broker has them already")
        self.dead = counter("dead_letters", "Records and entities set aside", ["adapter", "stage"])
        self.invalid = counter("entities_invalid", "Entities that do not hold to their model's schema")
        self.commands = counter("commands", "Commands that came into a state", ["adapter", "state"])
        self.failures = counter("send_failures", "Tries to send that the broker did not take")
        self.waiting = gauge("queue_entities", "Entities in the queue on disk")
        self.waiting_bytes = gauge("queue_bytes", "Bytes of the entities in the queue on disk")
        self.dropped = gauge("queue_dropped", "Entities taken out of a full queue, unsent, since the start")
        self.last_sent = gauge("last_sent_timestamp_seconds", "When the broker last took entities")
        self.lag = gauge("lag_seconds", "Age of the newest observation when the broker last took entities")

    def of(self, adapter: str) -> "AdapterCounts":
        """The metrics of one adapter."""
        return AdapterCounts(self, adapter)


class AdapterCounts:
    """Counting for one adapter."""

    def __init__(self, counts: Counts, adapter: str) -> None:
        self.records = counts.records.labels(adapter)
        self.queued = counts.queued.labels(adapter)
        self.sent = counts.sent.labels(adapter)
        self.skipped = counts.skipped.labels(adapter)
        self.late = counts.late.labels(adapter)
        self.late_recorded = counts.late_recorded.labels(adapter)
        self.late_dropped = counts.late_dropped.labels(adapter)
        self.duplicates = counts.duplicates.labels(adapter)
        self.invalid = counts.invalid.labels(adapter)
        self.failures = counts.failures.labels(adapter)
        self.last_sent = counts.last_sent.labels(adapter)
        self.lag = counts.lag.labels(adapter)
        self._counts = counts
        self._adapter = adapter

    def dead(self, stage: str) -> Counter:
        """The counter of what was set aside at a stage."""
        return self._counts.dead.labels(self._adapter, stage)

    def command(self, state: str) -> Counter:
        """The counter of commands that came into a state."""
        return self._counts.commands.labels(self._adapter, state)

    def watch(self, entities: Callable[[], float], size: Callable[[], float], dropped: Callable[[], float]) -> None:
        """Gauges read when they are asked for."""
        self._counts.waiting.labels(self._adapter).set_function(entities)
        self._counts.waiting_bytes.labels(self._adapter).set_function(size)
        self._counts.dropped.labels(self._adapter).set_function(dropped)
