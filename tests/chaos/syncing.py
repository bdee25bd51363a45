"""What a power cut could lose: a judge of the order in which a run wrote, synced, renamed and recorded.

Nothing may be recorded that is not on the disk by then: contents, renames, new folders and removals.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

from chaos.taps import Call

_CHANGES = ("create", "write", "truncate")


def find_unsynced(calls: Iterable[Call]) -> list[str]:
    """What is wrong with the order of the calls of one process, in words; nothing if all is well.

    A file is renamed only when all that was written to it has been synced. When the catalog commits, the folders in
    which something was renamed, made or removed have been synced since. Files that live and die with a run, its lock
    and its temporary files, may stay unsynced, and so may findings, which are removed once they are recorded.
    """
    wrong: list[str] = []
    dirty: set[str] = set()
    unsynced: dict[str, list[str]] = {}
    for call in calls:
        folder = os.path.dirname(call.target or call.path)
        if call.deed in _CHANGES:
            dirty.add(call.path)
        elif call.deed == "sync":
            dirty.discard(call.path)
            unsynced.pop(call.path, None)
        elif call.deed == "rename":
            if call.path in dirty:
                wrong.append(f"{call.target} is renamed before its content is synced")
            unsynced.setdefault(folder, []).append(f"{call.target} is renamed")
        elif call.deed == "mkdir":
            unsynced.setdefault(folder, []).append(f"{call.path} is made")
        elif call.deed == "unlink" and not os.path.basename(call.path).startswith("."):
            unsynced.setdefault(folder, []).append(f"{call.path} is removed")
        elif call.deed == "commit":
            wrong += [f"{what}, and not synced before the next commit" for lost in unsynced.values() for what in lost]
            unsynced.clear()
    return wrong + [f"{what}, and never synced" for lost in unsynced.values() for what in lost]


def find_unrenamed(calls: Iterable[Call]) -> set[str]:
    """The files that were written in their place, and not beside it: a power cut could leave half of them."""
    calls = list(calls)
    renamed = {call.path for call in calls if call.deed == "rename"}
    return {call.path for call in calls if call.deed in _CHANGES} - renamed
