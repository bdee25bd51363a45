"""What is in folders elsewhere; which of the files are exposures, exposures/find.py decides by their names."""

from __future__ import annotations

from collections.abc import Iterator

from mvmdb.remote.address import is_url
from mvmdb.remote.store import Entry, Store, store_of

DEEPEST = 20
"""Folders within folders: more are rather links that lead round in a circle."""


def list_below(folder: str) -> Iterator[Entry]:
    """The files below a folder elsewhere. Raises OSError, and InputError if its protocol cannot be read here.

    Names are data: what does not lie below the folder is passed over, whatever its server says.
    """
    yield from _below(store_of(folder), folder, {folder}, DEEPEST)


def _below(store: Store, folder: str, seen: set[str], depth: int) -> Iterator[Entry]:
    for entry in store.entries(folder):
        if entry.url in seen or not _lies_in(entry.url, folder):
            continue
        if not entry.is_folder:
            yield entry
        elif depth:
            seen.add(entry.url)
            yield from _below(store, entry.url, seen, depth - 1)


def _lies_in(url: str, folder: str) -> bool:
    parts = url.removeprefix(folder.rstrip("/") + "/").split("/")
    return is_url(url) and url.startswith(folder.rstrip("/") + "/") and not {".", ".."}.intersection(parts)


def holds_anything(folder: str) -> bool:
    """Whether anything is in a folder elsewhere; nothing is in one that is gone. Raises as `list_below`."""
    try:
        return any(True for _ in store_of(folder).entries(folder))
    except FileNotFoundError:
        return False
