"""What a video management system says of its cameras (JSON, README.md) into records, one a camera or a list of them.

Images, and the ways to them, are taken out before anything else looks at a record: they come neither into an entity nor
into the dead letters.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from adapters.decoding import Fault, Origin
from adapters.decoding.json import parse_json
from adapters.options import read

_OF_IMAGES = (
    "image",
    "snapshot",
    "picture",
    "photo",
    "thumbnail",
    "frame",
    "video",
    "stream",
    "media",
    "clip",
    "face",
    "plate",
)
"""What a member's name has in it, in small letters, that is or leads to an image or a person."""

KINDS = {
    "person": ("people", None),
    "people": ("people", None),
    "pedestrian": ("people", None),
    "vehicle": ("vehicle", None),
    **{kind: ("vehicle", kind) for kind in ("bicycle", "motorcycle", "car", "van", "bus", "truck", "scooter")},
}
"""What is counted: the itemType and itemSubType of Smart Data Models."""

DIRECTIONS = {"in": "inbound", "out": "outbound"} | {
    each: each for each in ("forward", "backward", "inbound", "outbound", "right", "left")
}


@dataclass(frozen=True, slots=True)
class CameraDecoder:
    """One camera, or a list of cameras, in each payload."""

    def decode(self, stream: BinaryIO, origin: Origin) -> Iterator[Any]:
        """The records. Raises DecodingError for what is not JSON."""
        document = _without_images(parse_json(stream.read()))
        for each in document if isinstance(document, list) else [document]:
            yield _record(each)


def open_decoder(options: Mapping[str, Any], where: str, state: Path | None) -> CameraDecoder:
    """From a definition's `format: camera_status`."""
    return read(CameraDecoder, options, where)


def _record(camera: Any) -> Any:
    if not isinstance(camera, dict) or not isinstance(camera.get("camera"), str) or not camera["camera"]:
        return Fault("a message must name its camera", camera)
    counts = camera.get("counts", [])
    if not isinstance(counts, list):
        return Fault("counts must be a list", camera)
    items = []
    for count in counts:
        kind = str(count.get("kind", "")).lower() if isinstance(count, dict) else ""
        if kind not in KINDS:
            return Fault(f"the kind of a count must be one of {', '.join(KINDS)}, not {kind!r}", camera)
        direction = count.get("direction")
        if direction is not None and DIRECTIONS.get(str(direction)) is None:
            return Fault(f"the direction of a count must be one of {', '.join(DIRECTIONS)}", camera)
        item_type, sub_type = KINDS[kind]
        items.append(
            {**count, "kind": kind, "type": item_type, "subType": sub_type, "direction": DIRECTIONS.get(str(direction))}
        )
    return {**camera, "counts": items}


def _without_images(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_images(each) for each in value]
    if isinstance(value, dict):
        return {
            name: _without_images(each)
            for name, each in value.items()
            if not any(word in name.lower() for word in _OF_IMAGES)
        }
    return value
