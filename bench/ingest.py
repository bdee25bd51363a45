"""How many exposure files are registered per second: new ones, by one process and by several, and known ones.

The files are as long as archive files and have the headers of the ERS exposures, ten of them at each of many positions
on the sky. Their pixels are holes, as registering reads headers only. Without ../shared, the demo's headers are used.
Each run is a separate process, as a command is, with the headers in the system's file cache; the fastest of several
runs counts. The time includes the start of worker processes and imports on first use.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter

from profiling import profiled

# mvmdb is not imported here: worker processes import this file too, and those of a command import little.

SHARED = Path(os.environ.get("MVMDB_SHARED") or Path(__file__).resolve().parents[2] / "shared")
PER_FIELD = 10
DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


def write_sources(folder: Path) -> list[Path]:
    """Write the FLT files whose headers are copied, and return their paths."""
    from mvmdb.demo.simulate import simulate_night

    tool = SHARED / "tools" / "make_ers_flts.py"
    if not tool.is_file():
        return [path for path in simulate_night(folder, 1) if path.name.endswith("_flt.fits")]
    subprocess.run([sys.executable, str(tool), str(folder), "--visits", "04,09"], check=True, stdout=subprocess.DEVNULL)
    return sorted(folder.glob("*.fits"))


def write_hollow_copy(source: Path, number: int, folder: Path) -> Path:
    """Write a file with the headers of `source` and holes for pixels, as exposure `number`, elsewhere on the sky."""
    from astropy.io import fits

    root = "ix" + "".join(DIGITS[number // 36**k % 36] for k in (3, 2, 1, 0)) + "00q"
    target = folder / f"{root}_flt.fits"
    with fits.open(source, memmap=True) as hdus, target.open("wb") as out:
        for hdu in hdus:
            header = hdu.header.copy()
            if "ROOTNAME" in header:
                header["ROOTNAME"], header["FILENAME"] = root, target.name
            if "CRVAL2" in header:
                field = number // PER_FIELD
                header["CRVAL1"] = (header["CRVAL1"] + 7.0 * field) % 360
                header["CRVAL2"] = -80 + 160 * (field * 0.618 % 1)
            out.write(header.tostring().encode("ascii"))
            out.seek(hdu.fileinfo()["datSpan"], os.SEEK_CUR)
        out.truncate()
    return target


def run_once(folder: Path, what: str, jobs: int, profile: bool) -> dict[str, float]:
    """Register the files of `folder`, which must all be `what` (new or known); returns wall and processor seconds."""
    from mvmdb.catalog.exposures.ingest import ingest_files
    from mvmdb.catalog.open import open_catalog
    from mvmdb.exposures.fits.file import scan_file
    from mvmdb.workers.choice import open_workers

    paths = sorted(str(path) for path in (folder / "inbox").iterdir())
    for path in paths:
        scan_file(path)  # loads it into the file cache
    database = folder / "mvm.db"
    if what == "new":
        database.unlink(missing_ok=True)
    with open_catalog(str(database), create=True) as engine:
        before, started = os.times(), perf_counter()
        with profiled(profile), open_workers(jobs=jobs) as workers:
            report = ingest_files(engine, paths, workers=workers)
        seconds, after = perf_counter() - started, os.times()
    taken = report.new if what == "new" else report.unchanged
    if taken != len(paths):
        raise SystemExit(f"{taken} of {len(paths)} files were {what}; problems: {report.problems[:3]}")
    main = after.user + after.system - before.user - before.system
    workers = after.children_user + after.children_system - before.children_user - before.children_system
    return {"files": len(paths), "seconds": seconds, "main": main, "workers": workers}


def report_runs(folder: Path, what: str, jobs: int, repeat: int, profile: bool) -> None:
    """Print the fastest of several runs, each in a separate process."""
    words = [sys.executable, __file__, "--one", str(folder), what, str(jobs)] + ["--profile"] * profile
    runs = [json.loads(subprocess.run(words, check=True, stdout=subprocess.PIPE).stdout) for _ in range(repeat)]
    best = min(runs, key=lambda run: run["seconds"])
    print(
        f"ingest of {what:5} files, {jobs} process(es): {best['files'] / best['seconds']:8.0f} files/s "
        f"({best['seconds']:.2f} s; processors: {best['main']:.2f} s here, {best['workers']:.2f} s in workers)"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=500)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--repeat", type=int, default=3, help="runs, of which the fastest counts")
    parser.add_argument("--profile", action="store_true", help="show where this process (no worker) spends its time")
    parser.add_argument("--one", nargs=3, metavar=("FOLDER", "WHAT", "JOBS"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        folder, what, jobs = options.one
        print(json.dumps(run_once(Path(folder), what, int(jobs), options.profile)))
        return
    with tempfile.TemporaryDirectory(prefix="mvmdb-bench-") as name:
        folder = Path(name)
        (folder / "inbox").mkdir()
        sources = write_sources(folder / "sources")
        for number in range(options.files):
            write_hollow_copy(sources[number % len(sources)], number, folder / "inbox")
        for what, jobs in (("new", 1), ("known", 1), *([("new", options.jobs)] if options.jobs > 1 else [])):
            report_runs(folder, what, jobs, options.repeat, options.profile)


if __name__ == "__main__":
    main()
