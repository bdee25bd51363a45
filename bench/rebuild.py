"""Time and peak memory of a full rebuild of the ERS field: every mosaic of 16 WFC3/IR exposures, from nothing.

Needs ../shared. Peak memory is that of the largest single process; N processes run at a time.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter

from mvmdb.catalog.open import open_catalog
from mvmdb.catalog.settings import read_policy
from mvmdb.exposures.find import find_exposures
from mvmdb.nightly import NightReport, run_night
from mvmdb.workers.choice import open_workers

SHARED = Path(os.environ.get("MVMDB_SHARED") or Path(__file__).resolve().parents[2] / "shared")


def rebuild(folder: Path, paths: tuple[str, ...], jobs: int) -> tuple[NightReport, float]:
    """The night's report and its seconds, in a new catalog with no products."""
    started = perf_counter()
    with open_catalog(str(folder / "mvm.db"), create=True) as engine:
        with engine.begin() as connection:
            policy = read_policy(connection)
        with open_workers(jobs=jobs) as workers:
            report = run_night(engine, paths, folder / "products", policy, workers=workers)
    if report.reconcile.failed or not report.reconcile.drizzled:
        raise SystemExit(
            f"found {report.reconcile.failed} failed layers, {report.reconcile.drizzled} made; expected 0 failed"
        )
    return report, perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    tool = SHARED / "tools" / "make_ers_flts.py"
    if not tool.is_file():
        print(f"there is no {tool}; the rebuild of the ERS field is skipped")
        return
    with tempfile.TemporaryDirectory(prefix="mvmdb-bench-") as name:
        folder = Path(name)
        subprocess.run([sys.executable, str(tool), str(folder / "inbox")], check=True, stdout=subprocess.DEVNULL)
        paths = find_exposures([folder / "inbox"]).paths
        # Many processes first: the peak memory of this process, which the last line reports, never decreases.
        for jobs in sorted({1, options.jobs}, reverse=True):
            who = resource.RUSAGE_SELF if jobs == 1 else resource.RUSAGE_CHILDREN
            target = folder / f"jobs{jobs}"
            target.mkdir()
            report, seconds = rebuild(target, paths, jobs)
            written = sum(path.stat().st_size for path in (target / "products").glob("*/*.fits"))
            print(
                f"rebuild of {report.reconcile.drizzled} mosaics ({written / 1e6:.0f} MB), {jobs} process(es): "
                f"{seconds:6.1f} s, at most {resource.getrusage(who).ru_maxrss / 1024:.0f} MB in one process"
            )
            shutil.rmtree(target)


if __name__ == "__main__":
    main()
