"""Queries as MongoDB filters: the other interpreter of the trees of `ngsi_ld.query`; tests hold both to one answer."""

from broker.store.filters.filter import Filter, Mongo
from broker.store.filters.query import mongo_filter
from broker.store.filters.sort import Sort, mongo_sort

__all__ = ["Filter", "Mongo", "Sort", "mongo_filter", "mongo_sort"]
