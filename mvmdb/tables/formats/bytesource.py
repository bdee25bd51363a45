"""A table's file as a stream of bytes, decompressed on the fly, that knows how much of the file was read."""

from __future__ import annotations

import gzip
import os
from typing import IO, Any


class ByteSource:
    """The open file of a table that is read once, from beginning to end."""

    def __init__(self, path: str, zipped: bool):
        self.length = os.path.getsize(path)
        self._raw = open(path, "rb")  # noqa: SIM115 - closed by close()
        unzipped: Any = gzip.GzipFile(fileobj=self._raw) if zipped else self._raw
        self.stream: IO[bytes] = unzipped

    def done(self) -> int:
        """Bytes of the file that were read."""
        return self._raw.tell()

    def close(self) -> None:
        """Close the file."""
        self._raw.close()
