"""@context documents that the operator brings along: `DIR/index.json` maps URLs to files in DIR.

    {"https://smart-data-models.github.io/dataModel.Streetlighting/context.jsonld": "streetlighting.jsonld"}

For networks without internet: such a URL is never fetched.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from broker.contexts.documents import Document, Kind, cached_id
from ngsi_ld.context import context_of
from ngsi_ld.errors import NgsiLdError


class PreloadError(Exception):
    """The operator's documents cannot be used; the text is one sentence that names the file."""


def preloaded(directory: Path, now: float) -> dict[str, Document]:
    """The documents of a directory by URL. Raises PreloadError."""
    index_file = directory / "index.json"
    index = _json(index_file)
    if not isinstance(index, dict) or not all(isinstance(name, str) for name in index.values()):
        raise PreloadError(f"{index_file} must be an object of URLs and file names in {directory}.")
    documents = {}
    for url, name in index.items():
        file = directory / name
        if not file.resolve().is_relative_to(directory.resolve()):
            raise PreloadError(f"{index_file} names {name}, which is not in {directory}.")
        documents[url] = _document(url, _json(file), now, str(file))
    return documents


def given(documents: Mapping[str, Any], now: float) -> dict[str, Document]:
    """The same for documents in memory. Raises PreloadError."""
    return {url: _document(url, document, now, url) for url, document in documents.items()}


def _document(url: str, content: Any, now: float, where: str) -> Document:
    try:
        context = context_of(content, url)
    except NgsiLdError as error:
        raise PreloadError(f"{where}: {error.detail}.") from None
    return Document(url, cached_id(url), Kind.CACHED, context, now)


def _json(file: Path) -> Any:
    try:
        return orjson.loads(file.read_bytes())
    except OSError as error:
        raise PreloadError(f"{file} cannot be read: {error.strerror}.") from None
    except orjson.JSONDecodeError as error:
        raise PreloadError(f"{file} is not JSON: {error}.") from None
