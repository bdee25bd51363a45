"""What is in folders elsewhere; which of the files are exposures, exposures/find.py decides by their names."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator

from mvmdb.remote.address import is_below
from mvmdb.remote.store import Entry, Store, store_of

log = logging.getLogger(__name__)

DEEPEST = 20
"""Folders within folders: more are rather links that lead round in a circle."""


def list_below(folder: str, unreadable: list[str]) -> Iterator[Entry]:
    """The files below a folder elsewhere; folders below it that cannot be listed are added to `unreadable`.

    Names are data: what does not lie below the folder is passed over, whatever its server says. Raises OSError, and
    InputError if the protocol cannot be read here.
    """
    store = store_of(folder)
    yield from _below(store, _entries(store, folder), folder, {folder}, unreadable)


def _below(
    store: Store, entries: Iterable[Entry], folder: str, seen: set[str], unreadable: list[str]
) -> Iterator[Entry]:
    waiting = []
    for entry in entries:
        if entry.url in seen:
            continue
        seen.add(entry.url)
        if entry.is_folder:
            waiting.append(entry.url)
        else:
            yield entry
    for inner in waiting:
        if inner.count("/") - folder.count("/") > DEEPEST:
            continue
        try:
            inside = list(_entries(store, inner))
        except OSError as error:
            log.warning("%s: %s", inner, error.strerror or error)
            unreadable.append(inner)
            continue
        yield from _below(store, inside, folder, seen, unreadable)


def _entries(store: Store, folder: str) -> Iterator[Entry]:
    """What is in a folder, without what its server only says to be there."""
    return (entry for entry in store.entries(folder) if is_below(entry.url, folder) and not _climbs(entry.url))


def _climbs(url: str) -> bool:
    return not {".", ".."}.isdisjoint(url.split("/"))


def holds_anything(folder: str) -> bool:
    """Whether anything is in a folder elsewhere; nothing is in one that is gone. Raises as `list_below`."""
    try:
        return any(True for _ in _entries(store_of(folder), folder))
    except FileNotFoundError:
        return False
