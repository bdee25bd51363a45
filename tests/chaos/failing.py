"""Makes a run's writes fail, one after the other: what it says, what it leaves, and what the next run makes of it.

A run whose write fails may do its other work. It must end with exit code 1 or 2 and name the file and the cause, unless
the failure did no harm. Every mosaic in its place must be whole; and the next run must end as one that could write,
except that the history tells of the failure and that mosaics may have been found instead of made.
"""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from chaos.killing import DifferenceError, Reference, order_of
from chaos.nest import Ended, Nest
from chaos.scenes import Scene
from chaos.state import find_differences, read_state, without_history
from chaos.taps import COMMIT, Call, tap

CAUSES = ("ENOSPC", "EACCES", "EROFS", "EFBIG", "EDQUOT", "EIO")
"""No space, no permission, a read-only file system, a limit of file size, a quota, a broken disk."""
DATABASE_FULL = "database or disk is full"


def fail_at(folder: str, number: int, cause: str, lasting: bool) -> None:
    """Hook: let the call of this number fail; `lasting`, all from there on that need room where the mosaics are."""
    numbers: Iterator[int] = iter(range(1 << 30))
    code = getattr(errno, cause)

    def watch(call: Call) -> None:
        at = next(numbers)
        again = lasting and at > number and call != COMMIT and call.deed not in ("unlink", "rmdir")
        if at != number and not again:
            return
        if call == COMMIT:
            raise _database_full()
        raise OSError(code, os.strerror(code), call.path)

    tap((folder,), watch)


def _database_full() -> Exception:
    if os.environ.get("CHAOS_DATABASE") == "postgresql":
        from psycopg.errors import DiskFull

        return DiskFull(f"could not extend file: {DATABASE_FULL}")
    return sqlite3.OperationalError(DATABASE_FULL)


def fail_once(
    nest: Nest, scene: Scene, reference: Reference, number: int, call: Call, cause: str, *, lasting: bool = False
) -> str:
    """One trial; returns what it came to: `failed`, or `no harm` where the run left what it should nevertheless."""
    scene.restore()
    given = [str(scene.work), number, cause, lasting]
    order = replace(
        order_of(scene), hook="chaos.failing:fail_at", given=given,
        environ=order_of(scene).environ | {"CHAOS_DATABASE": scene.store.kind},
    )  # fmt: skip
    story = f"{scene.name} on {scene.store.kind}, {cause} at call {number} ({call.deed} {call.path})"
    text = DATABASE_FULL if call == COMMIT else os.strerror(getattr(errno, cause))
    name = os.path.basename(scene.store.address) if call == COMMIT else _final(call)
    if lasting and "skycell" in name:  # what fails later in the same sky cell may be told instead
        name = f"skycell-{name.partition('skycell-')[2][:11]}"
    ended = nest.run(order)
    harmless = not find_differences(reference.state, read_state(scene.store.address, scene.work))
    if not harmless:
        check_words(ended, text, name, story)
    check_mosaics(scene, reference, story)
    check_next(nest, scene, reference, story)
    return "no harm" if harmless else "failed"


def check_words(ended: Ended, cause: str, name: str, story: str) -> None:
    """The run must say which file it could not write, and why, and not that it is broken."""
    said = ended.out + ended.err
    faults = [word for word in ("Traceback", "internal error") if word in said]
    if ended.code not in (1, 2) or cause not in said or name not in said or faults:
        raise DifferenceError(f"{story}: exit code {ended.code}, without {name} or {cause}:\n{said}")


def check_mosaics(scene: Scene, reference: Reference, story: str) -> None:
    """Every mosaic in its place is whole: the one before the run or the one that it was to make."""
    for path in scene.products.glob("*/*.fits"):
        name = path.relative_to(scene.work)
        before = scene.kept / name
        content = path.read_bytes()
        allowed = [reference.state.get(f"file {name}"), before.read_bytes() if before.exists() else None]
        if content not in allowed:
            raise DifferenceError(f"{story}: {path} is neither the mosaic before nor the one to be made")


def check_next(nest: Nest, scene: Scene, reference: Reference, story: str) -> None:
    """The next run must end as one that could write."""
    ended = nest.run(order_of(scene))
    found = read_state(scene.store.address, scene.work)
    differences = [] if ended.code in (0, 1) else [f"exit code {ended.code}"]
    differences += find_differences(without_history(reference.state), without_history(found))
    if differences:
        text = "\n".join([f"{story}, then run to its end:", *differences, ended.out, ended.err])
        Path(scene.base, "difference.txt").write_text(text)
        raise DifferenceError(f"{text}\nkept in {scene.base}")


def _final(call: Call) -> str:
    """The name that a user knows: that of the file which a temporary file is to become, of the folder for its lock."""
    name = os.path.basename(call.target or call.path)
    if name.endswith(".tmp"):
        name = name.removeprefix(".").rsplit(".", 3)[0]
    return "products" if name.startswith(".mvmdb.lock") else name
