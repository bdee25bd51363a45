"""Which share of the time of making mosaics is drizzle's C code, files, hashing, and everything else; by cProfile.

One process makes the layers one after the other; what goes on in background threads (hashing and storing what is
written) counts as far as it is waited for. The profile itself takes time, nearly all of it from Python code, whose
share is a little less in truth.
"""

from __future__ import annotations

import cProfile
import pickle
import pstats
import sys
from pathlib import Path
from time import perf_counter

from tabulate import tabulate

C_CODE, FILES, HASHES, BACKGROUND, REST, START = (
    "drizzle's C code",
    "reading and writing files",
    "hashing exposures",
    "waiting for hashing and storing in the background",
    "Python, numpy and astropy",
    "start: the interpreter's modules",
)
FILE_CALLS = ("fsync", "stat", "lstat", "fstat", "replace", "unlink", "open", "posix_fadvise", "scandir", "mkdir")


def kind_of(name: str) -> str:
    """The kind of work of a function of cProfile's, by its name."""
    if "cdrizzle.tdriz" in name:
        return C_CODE
    if "_io." in name or name in {f"<built-in method posix.{call}>" for call in FILE_CALLS}:
        return FILES
    if "_hashlib" in name:
        return HASHES
    return BACKGROUND if "_thread.lock" in name else REST


def profile_poller(poller: Path, folder: Path) -> dict[str, float]:
    """Seconds of each kind of work for the mosaics of a poller, in this process."""
    started = perf_counter()
    from mvmdb.process import process_poller
    from mvmdb.records import Policy
    from mvmdb.workers.processes import IN_THIS_PROCESS

    seconds = dict.fromkeys((C_CODE, FILES, HASHES, BACKGROUND, REST, START), 0.0)
    seconds[START] = perf_counter() - started
    profile = cProfile.Profile()
    report = profile.runcall(process_poller, poller, folder, Policy(), workers=IN_THIS_PROCESS)
    if report.failed or not report.layers:
        raise SystemExit(f"{report.failed} of {len(report.layers)} layers failed; expected products to profile")
    for (_, _, name), (_, _, own, _, _) in pstats.Stats(profile).stats.items():  # type: ignore[attr-defined]
        seconds[kind_of(name)] += own
    return seconds


def show_shares(found: dict[str, dict[str, float]]) -> str:
    """A table of the shares, in percent, of the time of each work."""
    totals = {work: sum(seconds.values()) for work, seconds in found.items()}
    rows = [
        [kind, *(f"{100 * seconds[kind] / totals[work]:.1f}%" for work, seconds in found.items())]
        for kind in (C_CODE, FILES, HASHES, BACKGROUND, REST, START)
    ]
    rows.append(["together", *(f"{total:.1f} s" for total in totals.values())])
    return tabulate(rows, ["share of the time", *found], colalign=("left", *("right" for _ in found)))


if __name__ == "__main__":
    poller, folder, answer = map(Path, sys.argv[1:])
    answer.write_bytes(pickle.dumps(profile_poller(poller, folder)))
