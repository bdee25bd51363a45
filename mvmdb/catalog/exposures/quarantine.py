"""Files that could not be catalogued, or are gone: which are new, and which the user has accepted."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from mvmdb.catalog.clock import now
from mvmdb.catalog.history.events import Event, Happened, write_events
from mvmdb.catalog.rows import chunks
from mvmdb.errors import ExposureError, UsageError
from mvmdb.remote.address import absolute, is_url
from mvmdb.remote.files import stamps_of
from mvmdb.schema import tables as t
from mvmdb.schema.engine import upsert

VANISHED = "vanished"
"""The kind of quarantined file that is gone: the active file of a known exposure."""

Stamp = tuple[int | None, int | None]


@dataclass(frozen=True, slots=True)
class QuarantinedFile:
    """One file that could not be catalogued, or is gone. `first_seen` is a UTC time in ISO 8601.

    `kind` is a code of docs/eligibility.md. `new` is true if this run found the fault for the first time,
    or found it in a file that has changed.
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
    """The quarantined files with this path or, if `text` has no slash, with this file name; sorted by path."""
    path = absolute(text)
    named = "/" not in text
    return [
        file
        for file in load_quarantined(connection)
        if file.path == path or (named and file.path.rsplit("/", 1)[-1] == text)
    ]


def accept_quarantined(connection: sa.Connection, paths: Sequence[str]) -> list[QuarantinedFile]:
    """Accept quarantined files (paths or file names) as they are, until they change; return them, sorted by path.

    Raises UsageError, and accepts none, if one of them is not quarantined.
    """
    accepted: set[str] = set()
    for text in paths:
        files = find_quarantined(connection, text)
        if not files:
            raise UsageError(f"{text} is not quarantined; see `mvmdb quarantine` for the files that are")
        accepted.update(file.path for file in files)
    for chunk in chunks(accepted):
        connection.execute(sa.update(t.quarantine).where(t.quarantine.c.path.in_(chunk)).values(accepted=True))
    write_events(connection, [Event(Happened.FILE_ACCEPTED, path=path) for path in sorted(accepted)])
    return [file for file in load_quarantined(connection) if file.path in accepted]


def write_quarantine(
    connection: sa.Connection, bad: Mapping[str, ExposureError], stamps: Mapping[str, Stamp]
) -> list[QuarantinedFile]:
    """Record these files, given with what is wrong with them and `stamp_files`; return them, sorted by path."""
    seen: dict[str, sa.Row[tuple[object, ...]]] = {}
    for chunk in chunks(bad):
        query = sa.select(t.quarantine).where(t.quarantine.c.path.in_(chunk))
        seen.update({row.path: row for row in connection.execute(query)})
    rows, files = [], []
    for path, error in sorted(bad.items()):
        before, (size, mtime_ns) = seen.get(path), stamps[path]
        first_seen = now() if before is None else before.first_seen
        same = before is not None and _is_same(before, error, (size, mtime_ns))
        accepted = same and before is not None and bool(before.accepted)
        state = {"kind": error.code, "reason": str(error), "size": size, "mtime_ns": mtime_ns, "accepted": accepted}
        rows.append({"path": path, "first_seen": first_seen} | state)
        files.append(QuarantinedFile(path, str(error), error.code, first_seen.isoformat(), accepted, not same))
    upsert(connection, t.quarantine, ("path",), rows)
    write_events(connection, [_event(file) for file in files if file.new])
    return files


def _event(file: QuarantinedFile) -> Event:
    kind = Happened.FILE_VANISHED if file.kind == VANISHED else Happened.FILE_QUARANTINED
    return Event(kind, path=file.path, detail=f"{file.kind}: {file.reason}")


def forget_gone(engine: sa.Engine) -> None:
    """Delete the records of quarantined files that no longer exist, and of vanished files that exist again."""
    q = t.quarantine.c
    with engine.begin() as connection:
        rows = connection.execute(sa.select(q.path, q.kind)).all()
    stamps = stamps_of(path for path, _ in rows if is_url(path))
    settled = [path for path, kind in rows if _is_there(path, stamps.get(path)) is (kind == VANISHED)]
    if settled:
        with engine.begin() as connection:
            for chunk in chunks(settled):
                connection.execute(sa.delete(t.quarantine).where(q.path.in_(chunk)))


def stamp_files(paths: Iterable[str]) -> dict[str, Stamp]:
    """Size and time of each of these files, by path; None for both if it does not exist."""
    restored = {path: _restore_path(path) for path in paths}
    stamps = stamps_of(restored.values())
    return {path: _known(stamps[there]) for path, there in restored.items()}


def storable_path(path: str) -> str:
    """A path as every database can store it: bytes that are not UTF-8 become the text `\\udcXX`."""
    return path.encode("utf-8", "backslashreplace").decode()


def _restore_path(path: str) -> str:
    """The inverse of `storable_path`; a path that exists as written stays as it is."""
    if is_url(path):
        return path
    restored = re.sub(r"\\udc([89a-f][0-9a-f])", lambda match: chr(0xDC00 + int(match[1], 16)), path)
    return path if os.path.lexists(path) else restored


def _known(stamp: tuple[int, int] | OSError) -> Stamp:
    return (None, None) if isinstance(stamp, OSError) else stamp


def _is_there(path: str, stamp: tuple[int, int] | OSError | None) -> bool | None:
    """Whether a file, or a broken link, is there; None where the server of one elsewhere does not say."""
    if stamp is None:
        return os.path.lexists(_restore_path(path))
    return False if isinstance(stamp, FileNotFoundError) else None if isinstance(stamp, OSError) else True


def _is_same(before: sa.Row[tuple[object, ...]], error: ExposureError, stamp: Stamp) -> bool:
    """Whether a file has the same fault as before and is unchanged; an unknown size (older catalogs) counts as such."""
    return before.kind == error.code and (before.size is None or (before.size, before.mtime_ns) == stamp)
