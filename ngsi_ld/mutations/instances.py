"""The instances of one attribute: which one is meant, which one takes its place (4.5.5)."""

from collections.abc import Iterable, Sequence

from ngsi_ld.entity import Instance


def find(instances: Iterable[Instance], dataset_id: str | None) -> Instance | None:
    """The instance with this datasetId; the default one for None."""
    for one in instances:
        if one.get("datasetId") == dataset_id:
            return one
    return None


def swapped(instances: Sequence[Instance], old: Instance, new: Instance | None) -> list[Instance]:
    """`instances` with `new` in the place of `old`, or without `old`."""
    replaced = (new if one is old else one for one in instances)
    return [one for one in replaced if one is not None]


def succeeding(old: Instance | None, new: Instance) -> Instance:
    """`new` in the place of `old`: it and its sub-attributes keep the time of their creation."""
    if old is None:
        return new
    kept: Instance = {**new, "createdAt": old["createdAt"]}
    if "subs" in new and "subs" in old:
        kept["subs"] = {
            name: [succeeding(find(old["subs"].get(name, ()), one.get("datasetId")), one) for one in instances]
            for name, instances in new["subs"].items()
        }
    return kept
