"""A registration as JSON (5.10.1, 5.10.2): what was given, in the reader's names, and what the broker knows of it."""

from collections.abc import Mapping, Sequence
from typing import Any

from ngsi_ld.names import Names
from ngsi_ld.registration.members import MEMBERS, with_names
from ngsi_ld.registration.registration import TYPE, Registration


def render_registration(
    registration: Registration,
    names: Names,
    *,
    positions: Sequence[int] | None = None,
    status: Mapping[str, Any] | None = None,
    system: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The JSON of a registration, without @context.

    `positions`: which elements of its information are shown; None for all. `status` has the read-only members of
    5.2.9-2 that exist, `system` createdAt and modifiedAt where they were asked for.
    """
    definition = registration.definition
    rendered: dict[str, Any] = {"id": definition.id, "type": TYPE}
    for name, value in definition.members.items():
        if name == "information":
            shown = value if positions is None else [value[position] for position in positions]
            rendered[name] = with_names(shown, names.term)
        else:
            rendered[name if name in MEMBERS else names.term(name)] = value
    return {**rendered, **(status or {}), **(system or {})}
