"""What `/metrics` says of notifications, for Prometheus. Only the process that follows the change log counts any."""

from collections.abc import Callable

from prometheus_client import Counter, Gauge

SENT = Counter("beffroi_notifications_sent", "Attempts to deliver a notification that an endpoint took.")
FAILED = Counter("beffroi_notifications_failed", "Attempts to deliver a notification that failed.")
GIVEN_UP = Counter("beffroi_notifications_given_up", "Notifications that went to the dead letters or were too large.")
_BACKLOG = Gauge("beffroi_notifications_backlog", "Notifications that wait, in memory and in the journal.")
_FOLLOWING = Gauge("beffroi_changelog_following", "1 in the process that follows the change log, 0 in the others.")
_LAG = Gauge("beffroi_changelog_lag_seconds", "How far that process is behind the writes.")


def watch(backlog: Callable[[], int], following: Callable[[], bool], lag: Callable[[], float]) -> None:
    """Has the gauges ask these when they are read."""
    _BACKLOG.set_function(backlog)
    _FOLLOWING.set_function(following)
    _LAG.set_function(lag)
