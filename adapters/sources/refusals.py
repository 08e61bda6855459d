"""What a server answers that has no feed in it."""


class RefusedError(Exception):
    """Told in the log; the source waits and asks again."""
