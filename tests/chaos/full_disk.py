"""A disk that is really full, and one that turns read-only: a file system in memory, mounted in a namespace of its own.

    unshare --user --map-root-user --mount env PYTHONPATH=tests python -m chaos.full_disk FOLDER [--step KIB]

mounts it at FOLDER, where no other process sees it, and runs the night with room for nothing more, for one step more,
and so on until the room suffices; then with everything read-only. Without a step, with three sizes alone.
"""

from __future__ import annotations

import argparse
import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from itertools import count
from pathlib import Path

from chaos.failing import DATABASE_FULL, check_mosaics, check_next
from chaos.killing import DifferenceError, Reference, order_of, run_once
from chaos.nest import Nest
from chaos.scenes import Scene, SqliteStore, make_scene
from chaos.state import find_differences, read_state

NAMESPACE = ("unshare", "--user", "--map-root-user", "--mount")
_ROOMY = 512 * 1024
_FEW = (0, 24, 96)
_WORDS = (os.strerror(errno.ENOSPC), DATABASE_FULL)
_READ_ONLY = (os.strerror(errno.EROFS), "readonly database", "unable to open database")


def fill(nest: Nest, scene: Scene, reference: Reference, disk: Path, room: int) -> bool:
    """One trial with so much room (KiB) on the disk; returns whether it was enough."""
    scene.restore()
    used = (os.statvfs(disk).f_blocks - os.statvfs(disk).f_bfree) * os.statvfs(disk).f_frsize // 1024
    _remount(disk, f"size={used + room}k")
    ended = nest.run(order_of(scene))
    _remount(disk, f"size={_ROOMY}k")
    story = f"a disk with room for {room} KiB"
    enough = not find_differences(reference.state, read_state(scene.store.address, scene.work))
    if not enough:
        _check_said(ended.code, ended.out + ended.err, _WORDS, story)
    check_mosaics(scene, reference, story)
    check_next(nest, scene, reference, story)
    return enough


def forbid(nest: Nest, scene: Scene, reference: Reference, disk: Path) -> None:
    """One trial on a disk that cannot be written to: nothing changes."""
    scene.restore()
    before = read_state(scene.store.address, scene.work)
    _remount(disk, "ro")
    ended = nest.run(order_of(scene))
    _remount(disk, "rw")
    story = "a disk that is read-only"
    _check_said(ended.code, ended.out + ended.err, _READ_ONLY, story)
    if differences := find_differences(before, read_state(scene.store.address, scene.work)):
        raise DifferenceError("\n".join([story, *differences]))
    check_next(nest, scene, reference, story)


def _check_said(code: int, said: str, causes: tuple[str, ...], story: str) -> None:
    faults = [word for word in ("Traceback", "internal error") if word in said]
    if code not in (1, 2) or faults or not any(cause in said for cause in causes):
        raise DifferenceError(f"{story}: exit code {code}, without {' or '.join(causes)}:\n{said}")


def _remount(disk: Path, how: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{how}", str(disk)], check=True)


def _rooms(step: int) -> Iterator[int]:
    return iter(_FEW) if step == 0 else count(0, step)


def main() -> int:
    """Run the trials, print their figures, and return 1 at the first fault."""
    parser = argparse.ArgumentParser(description="runs a night on a disk that is full, and on one that is read-only")
    parser.add_argument("folder", type=Path, help="an empty folder")
    parser.add_argument("--step", type=int, default=0, help="KiB more in each trial; 0: three sizes alone")
    chosen = parser.parse_args()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={_ROOMY}k", "none", str(chosen.folder)], check=True)
    full = 0
    try:
        with Nest() as nest:
            scene = make_scene("nightly", chosen.folder / "night", SqliteStore)
            reference = run_once(nest, scene, executors=("serial",))
            for room in _rooms(chosen.step):
                if fill(nest, scene, reference, chosen.folder, room):
                    break
                full += 1
            forbid(nest, scene, reference, chosen.folder)
    except DifferenceError as difference:
        print(difference, file=sys.stderr)
        return 1
    print(f"full {full} times, read-only once, 0 faults")
    return 0


if __name__ == "__main__":
    sys.exit(main())
