"""Feeds that are published zipped, as .xml.gz: read as what is in them, up to a limit that a bomb meets early."""

import gzip
import io
import zlib
from typing import IO, Any, BinaryIO

from adapters.errors import DecodingError

_MAGIC = b"\x1f\x8b"


def unzipped(stream: IO[bytes], most: int) -> BinaryIO:
    """What a stream at its beginning has zipped (gzip), or the stream itself where it is not zipped.

    Reading raises DecodingError where what is zipped is broken, or has more than `most` bytes.
    """
    zipped = stream.read(2) == _MAGIC
    stream.seek(0)
    return io.BufferedReader(_Unzipped(stream, most)) if zipped else stream  # type: ignore[return-value]


class _Unzipped(io.RawIOBase):
    """The content, as it is asked for."""

    def __init__(self, stream: IO[bytes], most: int) -> None:
        self._content = gzip.GzipFile(fileobj=stream)
        self._most = most
        self._count = 0

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: Any) -> int:
        """The next bytes; 0 at the end."""
        try:
            data = self._content.read(len(buffer))
        except (OSError, EOFError, zlib.error) as error:
            raise DecodingError(f"zipped, and broken: {error}") from None
        self._count += len(data)
        if self._count > self._most:
            raise DecodingError(f"more than {self._most} bytes when unzipped (source.max_bytes)")
        buffer[: len(data)] = data
        return len(data)
