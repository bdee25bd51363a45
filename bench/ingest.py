"""How many exposure files per second are registered: new ones, and ones that are already known.

The files are as long as archive files and have the headers of the ERS exposures, ten of them at each of many places on
the sky; their pixels are holes, as registering reads headers alone. Without ../shared, the demo's headers are used.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter

import sqlalchemy as sa
from astropy.io import fits

from mvmdb.catalog.archive import open_catalog
from mvmdb.catalog.ingest import ingest_files
from mvmdb.demo.simulate import simulate_night

SHARED = Path(os.environ.get("MVMDB_SHARED") or Path(__file__).resolve().parents[2] / "shared")
PER_PLACE = 10
DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


def write_sources(folder: Path) -> list[Path]:
    """FLT files whose headers are copied."""
    tool = SHARED / "tools" / "make_ers_flts.py"
    if not tool.is_file():
        return [path for path in simulate_night(folder, 1) if path.name.endswith("_flt.fits")]
    subprocess.run([sys.executable, str(tool), str(folder), "--visits", "04,09"], check=True, stdout=subprocess.DEVNULL)
    return sorted(folder.glob("*.fits"))


def write_hollow_copy(source: Path, number: int, folder: Path) -> Path:
    """A file with the headers of `source` and holes for its pixels, as exposure `number`, somewhere else on the sky."""
    root = "ix" + "".join(DIGITS[number // 36**k % 36] for k in (3, 2, 1, 0)) + "00q"
    target = folder / f"{root}_flt.fits"
    with fits.open(source, memmap=True) as hdus, target.open("wb") as out:
        for hdu in hdus:
            header = hdu.header.copy()
            if "ROOTNAME" in header:
                header["ROOTNAME"], header["FILENAME"] = root, target.name
            if "CRVAL2" in header:
                place = number // PER_PLACE
                header["CRVAL1"] = (header["CRVAL1"] + 7.0 * place) % 360
                header["CRVAL2"] = -80 + 160 * (place * 0.618 % 1)
            out.write(header.tostring().encode("ascii"))
            out.seek(hdu.fileinfo()["datSpan"], os.SEEK_CUR)
        out.truncate()
    return target


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=500)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mvmdb-bench-") as name:
        folder = Path(name)
        (folder / "inbox").mkdir()
        sources = write_sources(folder / "sources")
        copies = [write_hollow_copy(sources[n % len(sources)], n, folder / "inbox") for n in range(options.files)]
        paths = [str(path) for path in copies]
        with open_catalog(str(folder / "mvm.db"), create=True) as engine:
            for what, jobs in (("new", 1), ("known", 1)):
                report_ingest(engine, paths, what, jobs)
        if options.jobs > 1:
            with open_catalog(str(folder / "again.db"), create=True) as engine:
                report_ingest(engine, paths, "new", options.jobs)


def report_ingest(engine: sa.Engine, paths: list[str], what: str, jobs: int) -> None:
    """Register the files once, check that they were taken, and print the rate."""
    started = perf_counter()
    report = ingest_files(engine, paths, jobs=jobs)
    seconds = perf_counter() - started
    taken = report.new if what == "new" else report.unchanged
    if taken != len(paths):
        raise SystemExit(f"{taken} of {len(paths)} files were {what}; problems: {report.problems[:3]}")
    print(f"ingest of {what:5} files, {jobs} process(es): {len(paths) / seconds:8.0f} files/s ({seconds:.2f} s)")


if __name__ == "__main__":
    main()
