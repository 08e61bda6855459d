"""From a vendor's record to NGSI-LD entities: expressions, units, templates."""

from adapters.mapping.mapper import Mapper

__all__ = ["Mapper"]
