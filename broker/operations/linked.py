"""Linked entity retrieval (4.5.23, 5.7.1.5, 5.7.2.5): the links of an answer are followed level by level.

One read of the store a level, however many links there are; so many links at most as a setting allows.
"""

from collections.abc import Sequence

from broker.store.store import Reading
from ngsi_ld.errors import ErrorType, NgsiLdError
from ngsi_ld.expiry import alive
from ngsi_ld.linked import Join, Linking, Node, links


async def with_linked(
    store: Reading, tenant: str, linking_nodes: Sequence[Node], linking: Linking, now: str, *, most: int
) -> list[Node]:
    """The nodes, inline with what they lead to; flat, the nodes of all linked entities come after them.

    An entity is not shown again where it has been met: inline, within what hangs from one linking entity, so that each
    element of the answer is whole by itself; flat, in the answer. Raises TooManyResults beyond `most` links.
    """
    flat = linking.join is Join.FLAT
    nodes = list(linking_nodes)
    at_hand = {node.entity.id: node.entity for node in nodes}
    everywhere = {*linking.contained_by, *at_hand}
    level = [(node, everywhere if flat else {node.entity.id, *linking.contained_by}) for node in nodes]
    followed = 0
    for _ in range(linking.levels):
        wanted: list[tuple[Node, set[str], str, str]] = []
        for node, met in level:
            for relationship, target in links(node, now):
                if target not in met:
                    met.add(target)
                    wanted.append((node, met, relationship, target))
        followed += len(wanted)
        if followed > most:
            raise NgsiLdError(
                ErrorType.TOO_MANY_RESULTS,
                f"join would follow more than {most} links: ask for fewer entities, or pick fewer Relationships",
            )
        missing = {target for *_, target in wanted} - at_hand.keys()
        at_hand |= await store.get_many(tenant, list(missing))
        level = []
        for node, met, relationship, target in wanted:
            entity = alive(at_hand.get(target), now)
            if entity is not None:
                child = Node(entity, node.view.through(relationship))
                level.append((child, met))
                if flat:
                    nodes.append(child)
                else:
                    node.linked[relationship, target] = child
        if not level:
            break
    return nodes
