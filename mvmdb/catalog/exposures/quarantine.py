"""Files that could not be catalogued, or are gone: which are new, and which the user has accepted as they are."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from mvmdb.catalog.clock import now
from mvmdb.catalog.rows import chunks
from mvmdb.errors import ExposureError, UsageError
from mvmdb.schema import tables as t
from mvmdb.schema.engine import upsert
from mvmdb.stamp import file_stamp

VANISHED = "vanished"
"""The kind of a file of a known exposure that is gone."""

Stamp = tuple[int | None, int | None]


@dataclass(frozen=True, slots=True)
class QuarantinedFile:
    """One file that could not be catalogued. `first_seen` is a time (UTC) in ISO 8601.

    `new` says that this ingest saw the fault first, or saw it in a file that has changed since.
    """

    path: str
    reason: str
    kind: str
    first_seen: str
    accepted: bool = False
    new: bool = False


def load_quarantined(connection: sa.Connection) -> list[QuarantinedFile]:
    """All quarantined files, sorted by path."""
    q = t.quarantine.c
    rows = connection.execute(sa.select(q.path, q.reason, q.kind, q.first_seen, q.accepted).order_by(q.path))
    return [QuarantinedFile(path, reason, kind, seen.isoformat(), acc) for path, reason, kind, seen, acc in rows]


def find_quarantined(connection: sa.Connection, text: str) -> list[QuarantinedFile]:
    """The quarantined files that a path or a file name means."""
    path = os.path.abspath(os.path.expanduser(text))
    named = "/" not in text
    return [
        file
        for file in load_quarantined(connection)
        if file.path == path or (named and file.path.rsplit("/", 1)[-1] == text)
    ]


def accept_quarantined(connection: sa.Connection, paths: Sequence[str]) -> list[QuarantinedFile]:
    """Accept quarantined files, given by path or name, as they are; a file that changes is new again.

    Returns them, sorted by path. Raises UsageError, and accepts none, where one is not quarantined.
    """
    accepted: set[str] = set()
    for text in paths:
        files = find_quarantined(connection, text)
        if not files:
            raise UsageError(f"{text} is not quarantined; see `mvmdb quarantine` for the files that are")
        accepted.update(file.path for file in files)
    for chunk in chunks(accepted):
        connection.execute(sa.update(t.quarantine).where(t.quarantine.c.path.in_(chunk)).values(accepted=True))
    return [file for file in load_quarantined(connection) if file.path in accepted]


def write_quarantine(connection: sa.Connection, bad: Mapping[str, ExposureError]) -> list[QuarantinedFile]:
    """Record these files and what is wrong with them; returns them, sorted by path."""
    seen: dict[str, sa.Row[tuple[object, ...]]] = {}
    for chunk in chunks(bad):
        query = sa.select(t.quarantine).where(t.quarantine.c.path.in_(chunk))
        seen.update({row.path: row for row in connection.execute(query)})
    rows, files = [], []
    for path, error in sorted(bad.items()):
        before, (size, mtime_ns) = seen.get(path), _stamp(path)
        first_seen = now() if before is None else before.first_seen
        same = before is not None and _is_same(before, error, (size, mtime_ns))
        accepted = same and before is not None and bool(before.accepted)
        state = {"kind": error.code, "reason": str(error), "size": size, "mtime_ns": mtime_ns, "accepted": accepted}
        rows.append({"path": path, "first_seen": first_seen} | state)
        files.append(QuarantinedFile(path, str(error), error.code, first_seen.isoformat(), accepted, not same))
    upsert(connection, t.quarantine, ("path",), rows)
    return files


def forget_gone(connection: sa.Connection) -> None:
    """Drop quarantined files that are no longer there, and vanished ones that are there again."""
    rows = connection.execute(sa.select(t.quarantine.c.path, t.quarantine.c.kind)).all()
    settled = [path for path, kind in rows if os.path.lexists(_restore_path(path)) == (kind == VANISHED)]
    for chunk in chunks(settled):
        connection.execute(sa.delete(t.quarantine).where(t.quarantine.c.path.in_(chunk)))


def storable_path(path: str) -> str:
    """A path as every catalog can hold it: bytes that are not UTF-8 are written `\\udcXX`."""
    return path.encode("utf-8", "backslashreplace").decode()


def _restore_path(path: str) -> str:
    """The inverse of `storable_path`, where there is such a file."""
    restored = re.sub(r"\\udc([89a-f][0-9a-f])", lambda match: chr(0xDC00 + int(match[1], 16)), path)
    return path if os.path.lexists(path) else restored


def _stamp(path: str) -> Stamp:
    try:
        return file_stamp(os.stat(_restore_path(path)))
    except OSError:
        return None, None


def _is_same(before: sa.Row[tuple[object, ...]], error: ExposureError, stamp: Stamp) -> bool:
    """Whether a file has the fault that it had, and has not changed; unknown sizes (of older catalogs) are taken so."""
    return before.kind == error.code and (before.size is None or (before.size, before.mtime_ns) == stamp)
