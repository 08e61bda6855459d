"""Each profile with the settings that it cannot do without."""

from pathlib import Path

import adapters

FOLDER = Path(adapters.__file__).parent

SETTINGS = {}
"""What a profile needs besides a site."""


def definition_of(profile, **settings):
    """A definition of the profile as an installation would begin it."""
    return {"profile": profile, "settings": {"site": "chalons", **SETTINGS.get(profile, {}), **settings}}
