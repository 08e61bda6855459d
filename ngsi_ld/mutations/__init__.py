"""Every change to an entity as a pure function from the entity before to the entity after (5.5.8, 5.5.12, 5.6).

What a function does not touch it shares with the entity before, so that `after.attributes[name] is
before.attributes[name]` tells an unchanged attribute; it returns the very entity before where nothing changes.
"""

from ngsi_ld.mutations.attributes import UpdateResult, append, delete_attribute, replace_attribute, update
from ngsi_ld.mutations.merge import merge, partial_update
from ngsi_ld.mutations.value import set_value
from ngsi_ld.mutations.whole import keep_attributes, replace, without_attributes

__all__ = [
    "UpdateResult",
    "append",
    "delete_attribute",
    "keep_attributes",
    "merge",
    "partial_update",
    "replace",
    "replace_attribute",
    "set_value",
    "update",
    "without_attributes",
]
