"""What `q` compares, under one name: `value`, in the stored form of an instance of any kind.

One field means one index (`attrs.KEY.value`) that serves a comparison whatever the kind of the attribute is; with
`object`, `vocab`, `valueList` … each under its own name a comparison would be an `$or` of seven fields, which MongoDB
answers from indexes only when all seven have one. So a stored instance has, beside its own members:

    Property           value: itself
    Relationship       value: the URI or the array of URIs
    VocabProperty      value: the IRI or the array of IRIs
    ListProperty       value: the array
    ListRelationship   value: the array of URIs
    LanguageProperty   value: the array of all texts of all languages
    JsonProperty       none: it has no value of its own, only members to be reached by a path in []
    GeoProperty        none that is compared
"""

from typing import Any

from ngsi_ld.entity import Instance
from ngsi_ld.query import values


def target_value(instance: Instance) -> Any:
    """The value that `q` compares for kinds other than Property (4.9); None where there is none.

    To be stored as `value` beside the instance's members, and left out when the instance is read back.
    """
    value = values.target_value(instance)
    return None if value is values.MISSING else value
