"""What has not expired yet, as a condition on the stored text of `expiresAt` (GS CIM 009 v1.9.1, 4.22)."""

from functools import lru_cache

from broker.store.filters.filter import Mongo


@lru_cache(maxsize=16)
def live(now: str) -> Mongo:
    """The condition on `expiresAt` that `ngsi_ld.expiry.expired` is the negation of; it holds where there is none.

    Texts of date-times sort by time but for their final Z, which sorts after the digits of a fraction: those that are
    `now` cut short have expired although they sort after it.
    """
    text = now[:-1]
    seconds = text.find(".")
    cuts = range(seconds + 2, len(text) + 1) if seconds >= 0 else ()
    passed = [f"{text[: seconds if seconds >= 0 else None]}Z", *(f"{text[:cut]}Z" for cut in cuts)]
    return {"$not": {"$lt": text}, "$nin": passed}
