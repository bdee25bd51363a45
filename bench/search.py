"""How long searches take in a catalog of many exposures, as whole processes.

    python bench/search.py [--exposures 1000000] [--db FILE]

A new catalog of synthetic exposures is imported (see synthetic.py), or the one given is searched. No mosaic is made, so
that every layer is stale. Of three runs of each search, the fastest counts: the first reads the file.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter

from synthetic import import_catalog

SEARCHES = (
    "exposures --program 11359 --limit 20",
    "exposures --filter f125w --camera wfc3/ir --limit 1000",
    "exposures --target FIELD --limit 10",
    "exposures --exposure 04t --limit 10",
    "exposures --at 10 20 --radius 0.5",
    "exposures --date 2010-01-01 2010-02-01 --sort exptime --limit 100",
    "exposures --astrometry none --limit 10",
    "exposures --stale --limit 10",
    "layers --at 10 20 --radius 0.2",
    "layers --program 11359",
    "layers --filter f125w --sort -exptime --limit 10",
    "layers --stale --sort -exptime --limit 100",
    "layers --target nothing",
    "layers --waiting --limit 10",
    "products --stale",
)


def main() -> None:
    """Print the seconds of each search, the longest, and the largest process."""
    parser = argparse.ArgumentParser(description="times searches")
    parser.add_argument("--exposures", type=int, default=1_000_000)
    parser.add_argument("--db", type=Path)
    chosen = parser.parse_args()
    mvmdb = [sys.executable, "-m", "mvmdb"]
    with tempfile.TemporaryDirectory() as folder:
        address = chosen.db or Path(folder) / "mvm.db"
        if chosen.db is None:
            import_catalog(address, chosen.exposures, Path(folder))
        longest = 0.0
        for words in SEARCHES:
            seconds = []
            for _ in range(3):
                started = perf_counter()
                subprocess.run(
                    [*mvmdb, "--db", str(address), "search", *words.split()], check=True, stdout=subprocess.DEVNULL
                )
                seconds.append(perf_counter() - started)
            longest = max(longest, min(seconds))
            print(f"{min(seconds):5.2f} s  {words}", flush=True)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1000
    print(f"longest {longest:.2f} s, largest process {peak:.0f} MB")


if __name__ == "__main__":
    main()
