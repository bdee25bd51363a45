"""Exposures whose files are gone from watched folders leave the archive, until their files return.

A file that is not seen need not be gone: its volume may be away, or its folder unreadable. So nothing leaves where a
folder is empty, where too much would leave at once, or where the user does not agree.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import sqlalchemy as sa

from mvmdb.catalog.clock import time_in
from mvmdb.catalog.exposures.other_files import register_others
from mvmdb.catalog.exposures.quarantine import VANISHED
from mvmdb.catalog.history.events import Event, Happened, write_events
from mvmdb.catalog.layers.changed_keys import keys_of_exposures
from mvmdb.catalog.layers.refresh import refresh_layers
from mvmdb.catalog.narrow import EVERYTHING, Narrowing, exposure_condition
from mvmdb.catalog.open import Engine
from mvmdb.catalog.rows import chunks
from mvmdb.catalog.settings import read_policy
from mvmdb.remote.address import is_below, is_url
from mvmdb.remote.files import are_gone
from mvmdb.remote.listing import holds_anything
from mvmdb.schema import tables as t
from mvmdb.schema.engine import bulk_select

MOST = 100
"""How many exposures may leave at once unless the user sets another limit: more are rather a volume that is away."""


class GoneFile(NamedTuple):
    """An exposure whose active file is gone, and the path that it had."""

    ipppssoo: str
    path: str


Agree = Callable[[Sequence[GoneFile]], str]
"""Asks the user whether these exposures may leave: an empty text if so, else what to do about it."""


@dataclass(frozen=True, slots=True)
class Watched:
    """What to prune: exposures below these folders (absolute paths), at most so many, if the user agrees."""

    folders: tuple[str, ...]
    agree: Agree
    limit: int = MOST


@dataclass(slots=True)
class PruneReport:
    """What pruning did: the exposures that left, and those that have `switched` to another file (its path by name).

    `refused` says why nothing left, with the remedy; empty if it did, or if nothing is gone. `gone` would have left.
    """

    gone: list[GoneFile] = field(default_factory=list)
    pruned: list[GoneFile] = field(default_factory=list)
    switched: dict[str, str] = field(default_factory=dict)
    refused: str = ""


def prune_exposures(
    engine: Engine, watched: Watched, present: Collection[str], *, narrowing: Narrowing = EVERYTHING
) -> PruneReport:
    """Let exposures leave whose active files below the watched folders are gone; call it after the ingest.

    Paths in `present` were just found and are not checked. An exposure with another file that exists switches to it
    instead. Files that the user has accepted as gone are left alone, and so are exposures outside the `narrowing`.
    """
    report = PruneReport()
    gone = _find_gone(engine, watched.folders, present, narrowing)
    report.refused = _doubt(gone, watched.folders)
    if report.refused:
        report.gone = gone
        return report
    report.switched = register_others(engine, [file.ipppssoo for file in gone])
    report.gone = [file for file in gone if file.ipppssoo not in report.switched]
    if not report.gone:
        return report
    if len(report.gone) > watched.limit:
        report.refused = (
            f"{len(report.gone)} exposures are gone from the watched folders; expected at most {watched.limit} at "
            "once: are all volumes mounted? If they have left, allow as many with --prune-limit"
        )
        return report
    report.refused = watched.agree(report.gone)
    if not report.refused:
        report.pruned = _prune(engine, report.gone)
    return report


def _find_gone(
    engine: Engine, folders: Sequence[str], present: Collection[str], narrowing: Narrowing
) -> list[GoneFile]:
    """The exposures whose active file was below these folders, and is there no more; sorted by path."""
    e, q = t.exposure.c, t.quarantine.c
    below = tuple(folder.rstrip("/") + "/" for folder in folders)
    accepted = sa.select(q.path).where(q.kind == VANISHED, q.accepted)
    query = sa.select(e.ipppssoo, e.path).where(e.path != "", e.withdrawn_at.is_(None), e.path.not_in(accepted))
    if not narrowing.is_everything:
        query = query.where(exposure_condition(narrowing))
    with engine.begin() as connection:
        known = [GoneFile(*row) for row in bulk_select(connection, query)]
    candidates = [file for file in known if file.path not in present and file.path.startswith(below)]
    elsewhere = are_gone(file.path for file in candidates if is_url(file.path))
    gone = (file for file in candidates if file.path in elsewhere or _is_gone(file.path))
    return sorted(gone, key=lambda file: file.path)


def _is_gone(path: str) -> bool:
    """Whether a file here is known to be gone; one that cannot be looked at is not, and neither is a broken link."""
    if is_url(path):
        return False
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False


def _doubt(gone: Sequence[GoneFile], folders: Sequence[str]) -> str:
    """Why these files may only seem to be gone: the nearest folder that is left of a path is empty, or unreadable."""
    for url in sorted(folder for folder in folders if any(is_below(file.path, folder) for file in gone)):
        if is_url(url) and (doubt := _doubt_elsewhere(url)):
            return doubt
    nearest = {_nearest_folder(file.path) for file in gone if not is_url(file.path)}
    for folder in sorted(nearest):
        try:
            with os.scandir(folder) as entries:
                empty = next(entries, None) is None
        except OSError as error:
            return f"the folder {folder} cannot be read ({error.strerror}); nothing leaves: make it readable"
        if empty:
            remedy = "withdraw them (mvmdb withdraw)" if folder in folders else "remove the empty folder"
            return (
                f"the folder {folder} is empty, though exposures were in it; nothing leaves: is its volume mounted? "
                f"If they have left, {remedy}"
            )
        if not any(folder == f or folder.startswith(f.rstrip("/") + "/") for f in folders):
            return f"the watched folder is gone, and {folder} is what is left of its path; nothing leaves: mount it"
    return ""


def _doubt_elsewhere(folder: str) -> str:
    try:
        if holds_anything(folder):
            return ""
    except OSError as error:
        return f"the folder {folder} cannot be listed ({error.strerror}); nothing leaves: make it readable"
    return (
        f"the folder {folder} is empty, though exposures were in it; nothing leaves: is the address right? "
        "If they have left, withdraw them (mvmdb withdraw)"
    )


def _nearest_folder(path: str) -> str:
    folder = Path(path).parent
    while not folder.is_dir() and folder != folder.parent:
        folder = folder.parent
    return str(folder)


def _prune(engine: Engine, gone: Sequence[GoneFile]) -> list[GoneFile]:
    """Record in one transaction that these exposures have left; not those with another file by now, or withdrawn."""
    e, q = t.exposure.c, t.quarantine.c
    pruned: list[GoneFile] = []
    with engine.begin() as connection:
        ids = []
        for chunk in chunks(file.path for file in gone):
            query = sa.select(e.id, e.ipppssoo, e.path).where(e.path.in_(chunk), e.withdrawn_at.is_(None))
            for id_, *values in connection.execute(query.order_by(e.path)):
                ids.append(id_)
                pruned.append(GoneFile(*values))
            connection.execute(sa.delete(t.quarantine).where(q.path.in_(chunk), q.kind == VANISHED))
        for chunk in chunks(ids):
            change = {"withdrawn_at": time_in(connection), "withdrawn_why": "its file is gone", "pruned": True}
            connection.execute(sa.update(t.exposure).where(e.id.in_(chunk)).values(**change))
        write_events(connection, [Event(Happened.EXPOSURE_PRUNED, exposure=name, path=path) for name, path in pruned])
        refresh_layers(connection, keys_of_exposures(connection, ids), read_policy(connection))
    return pruned
