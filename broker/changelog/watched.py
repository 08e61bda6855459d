"""Collections whose changes the log can follow: MongoDB keeps images of a document before and after each change."""

from typing import Any

from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import CollectionInvalid, OperationFailure

_IMAGES: dict[str, Any] = {"changeStreamPreAndPostImages": {"enabled": True}}
_NAMESPACE_EXISTS = 48


async def make_watched(collection: AsyncCollection[dict[str, Any]]) -> None:
    """Creates the collection with images, or sees to it that it has them."""
    try:
        await collection.database.create_collection(collection.name, check_exists=False, **_IMAGES)
    except (CollectionInvalid, OperationFailure) as error:
        if isinstance(error, OperationFailure) and error.code != _NAMESPACE_EXISTS:
            raise
        await collection.database.command({"collMod": collection.name, **_IMAGES})
