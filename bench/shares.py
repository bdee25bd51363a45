"""The shares of drizzle's C code, files, hashing and everything else in the time of making mosaics, by cProfile.

One process makes the layers one after the other. Work in background threads (hashing and storing what is written)
counts only while it is waited for. The profiler's own overhead falls almost entirely on Python code, whose true share
is slightly smaller.
"""

from __future__ import annotations

import cProfile
import pickle
import pstats
import sys
from pathlib import Path
from time import perf_counter

from tabulate import tabulate

C_CODE, FILES, HASHES, WAITING, REST, START = (
    "drizzle's C code",
    "reading and writing files",
    "hashing exposures",
    "waiting for background threads",
    "Python, numpy and astropy",
    "start: the interpreter's modules",
)
FILE_CALLS = ("fsync", "stat", "lstat", "fstat", "replace", "unlink", "open", "posix_fadvise", "scandir", "mkdir")


def categorise(name: str) -> str:
    """The category of work of a function in a profile, by its name."""
    if "cdrizzle.tdriz" in name:
        return C_CODE
    if "_io." in name or name in {f"<built-in method posix.{call}>" for call in FILE_CALLS}:
        return FILES
    if "_hashlib" in name:
        return HASHES
    return WAITING if "_thread.lock" in name else REST


def profile_poller(poller: Path, folder: Path) -> dict[str, float]:
    """Seconds of each category of work for the mosaics of a poller, in this process."""
    started = perf_counter()
    from mvmdb.process import process_poller
    from mvmdb.records import Policy
    from mvmdb.workers.processes import IN_THIS_PROCESS

    seconds = dict.fromkeys((C_CODE, FILES, HASHES, WAITING, REST, START), 0.0)
    seconds[START] = perf_counter() - started
    profile = cProfile.Profile()
    report = profile.runcall(process_poller, poller, folder, Policy(), workers=IN_THIS_PROCESS)
    if report.failed or not report.layers:
        raise SystemExit(f"{report.failed} of {len(report.layers)} layers failed; expected products to profile")
    for (_, _, name), (_, _, own_seconds, _, _) in pstats.Stats(profile).stats.items():  # type: ignore[attr-defined]
        seconds[categorise(name)] += own_seconds
    return seconds


def show_shares(seconds_of: dict[str, dict[str, float]]) -> str:
    """A table of the shares, in percent; `seconds_of` holds the seconds of each category, by name of the set."""
    totals = {name: sum(seconds.values()) for name, seconds in seconds_of.items()}
    rows = [
        [category, *(f"{100 * seconds[category] / totals[name]:.1f}%" for name, seconds in seconds_of.items())]
        for category in (C_CODE, FILES, HASHES, WAITING, REST, START)
    ]
    rows.append(["together", *(f"{total:.1f} s" for total in totals.values())])
    return tabulate(rows, ["share of the time", *seconds_of], colalign=("left", *("right" for _ in seconds_of)))


if __name__ == "__main__":
    poller, folder, answer = map(Path, sys.argv[1:])
    answer.write_bytes(pickle.dumps(profile_poller(poller, folder)))
