"""From JSON to the internal entity: names expanded, forms made one, everything checked (4.5, 5.5.4, 5.5.7).

The normalized, concise and (for merges) simplified forms come in; what comes out no longer tells which it was.
"""

from ngsi_ld.expansion.entity import Fragment, expand_entity, expand_fragment, expand_simplified
from ngsi_ld.expansion.instance import Fill, expand_attribute, expand_instance
from ngsi_ld.expansion.received import expand_received

__all__ = [
    "Fill",
    "Fragment",
    "expand_attribute",
    "expand_entity",
    "expand_fragment",
    "expand_instance",
    "expand_received",
    "expand_simplified",
]
