"""The state of a file elsewhere, as its server tells it, and the size and time that the catalog holds instead.

A server tells times in whole seconds. What is below the second in the catalog's time is made of the ETag, so that the
stamp of a file changes with its ETag or size, and its time is still one: the newest file of an exposure is known.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from mvmdb.remote.address import is_url

_SECOND = 10**9
_LATEST = (2**63 - 1) // _SECOND - 1

Stamp = tuple[int, int]


@dataclass(frozen=True, slots=True)
class State:
    """A file's size in bytes, its ETag, and the time (s since 1970) when it was changed: "" and 0 if not told."""

    size: int
    etag: str = ""
    modified: int = 0

    @property
    def stamp(self) -> Stamp:
        """(size, time in ns) for the catalog. Without an ETag the time has whole seconds."""
        below = 0
        if self.etag:
            digest = hashlib.blake2b(self.etag.encode("utf-8", "replace"), digest_size=8).digest()
            below = 1 + int.from_bytes(digest) % (_SECOND - 1)
        return self.size, max(0, min(self.modified, _LATEST)) * _SECOND + below


def is_unchanged(address: str, recorded: Stamp | None, found: Stamp) -> bool:
    """Whether a file with the stamp `found` is as it was recorded. A file elsewhere with its ETag and size is."""
    if recorded is None or not is_url(address):
        return recorded == found
    etag = found[1] % _SECOND
    if etag and recorded[1] % _SECOND:
        return (recorded[0], recorded[1] % _SECOND) == (found[0], etag)
    return recorded == found
