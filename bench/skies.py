"""Skies by either method: time for five real exposures, and for many exposures of a field.

    python bench/skies.py [--only time,field] [--counts 8,25] [--executor processes:2]

time: processor seconds for the skies of five real exposures (needs ../shared). field: processor seconds, and seconds
that pass, from files to products, of so many WFC3/IR exposures of one field that all overlap, at two scales in two sky
cells, with one catalog.
`make accuracy PARTS=skies` measures how right they are.
"""

from __future__ import annotations

import argparse
import atexit
import cProfile
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from time import process_time

import numpy as np
from tabulate import tabulate

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"
sys.path.insert(0, str(ROOT / "tests"))

from fitsfiles import write_exposure  # noqa: E402
from mosaic_field import CELL, Field  # noqa: E402
from skysources import sources_of  # noqa: E402

from mvmdb.archive.archive import open_archive  # noqa: E402
from mvmdb.mosaic.grid import LayerGrid  # noqa: E402
from mvmdb.mosaic.skies.differences import measure_differences  # noqa: E402
from mvmdb.mosaic.skies.measure import find_neighbours, measure_pairs  # noqa: E402
from mvmdb.mosaic.skies.solve import solve_skies  # noqa: E402
from mvmdb.names import CellId  # noqa: E402
from mvmdb.records import SkyPair  # noqa: E402
from mvmdb.sky.tessellation import cell_wcs  # noqa: E402

BORDER_OF, ON_BORDER = CellId(1500, 10, 10), (0.5, 11000.0)
"""A fine pixel on the border of a sky cell, which is inside one other and in no third."""
DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


def measure_both(field: Field, paths: list[Path]) -> dict[str, tuple[list[SkyPair], float]]:
    """The pairs of some exposures by each method, and the processor seconds that they took."""
    job = field.job(paths)
    grid = LayerGrid(CELL, "fine", job.canvas)
    sources = sources_of(job, grid)
    neighbours = find_neighbours(sources, {source.ipppssoo for source in sources})
    pairs = [(i, j) for i in neighbours for j in neighbours[i] if i < j]
    measured = {}
    for method in ("hap", "mvmdb"):
        started = process_time()
        if method == "hap":
            found = measure_pairs(sources, neighbours, grid, job.recipe)
        else:
            found = measure_differences(sources, pairs, grid, job.recipe)
        solve_skies([source.ipppssoo for source in sources], found, {})
        measured[method] = found, process_time() - started
    return measured


def measure_time(folder: Path) -> str:
    """Processor seconds for the skies of five real exposures, ten pairs."""
    maker = [sys.executable, str(SHARED / "tools" / "make_ers_flts.py"), "--names", "svm", str(folder / "ers")]
    subprocess.run(maker, check=True, stdout=subprocess.DEVNULL)
    paths = sorted((folder / "ers").glob("*_f125w_*"))[:5]
    measured = measure_both(Field(folder), paths)
    rows = [(method, f"{seconds:.2f} s") for method, (_, seconds) in measured.items()]
    return str(tabulate(rows, ["skies of five exposures of 1014 x 1014 pixels", "processor"]))


def measure_field(folder: Path, counts: list[int], methods: list[str], side: int, executor: str) -> str:
    """Processor seconds of a night, and seconds that pass, from files to products."""
    ra, dec = (float(value) for value in cell_wcs(BORDER_OF).wcs_pix2world(*ON_BORDER, 1))
    rng = np.random.default_rng(1)
    paths = []
    for k in range(max(counts)):
        east, north = rng.uniform(-0.08, 0.08, 2) * side * 0.128 / 3600
        root = f"ib6o{DIGITS[k // 1296]}{DIGITS[k // 36 % 36]}{DIGITS[k % 36]}0q"
        paths.append(
            write_exposure(
                folder / "inbox", rootname=root, ra=ra + east / np.cos(np.radians(dec)), dec=dec + north,
                shape=(side, side), errors=False,
            )
        )  # fmt: skip
    rows = []
    for count in counts:
        row: list[object] = [count]
        for method in methods:
            archive = open_archive(folder / f"{count}{method}.db", create=True, executor=executor)
            archive.configure(products=folder / f"{count}{method}", method=method)  # type: ignore[arg-type]
            started = os.times()
            report = archive.nightly(*paths[:count]).report
            took = os.times()
            if report.reconcile.failed or report.reconcile.drizzled != 4:
                raise SystemExit(f"{report.reconcile.drizzled} layers were drizzled; expected 4, without failures")
            row.append(f"{sum(took[:4]) - sum(started[:4]):.1f} s, {took[4] - started[4]:.1f} s")
        rows.append(row)
    return str(tabulate(rows, ["exposures", *(f"{method}: processor, elapsed" for method in methods)]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="time,field")
    parser.add_argument("--counts", default="8,25")
    parser.add_argument(
        "--side", type=int, default=1014, help="pixels along a side: small ones show what else takes time"
    )
    parser.add_argument("--methods", default="hap,mvmdb")
    parser.add_argument("--executor", default="serial", help="serial (default), processes:N")
    parser.add_argument("--profile", type=Path, help="keep a profile of the nights in this file")
    options = parser.parse_args()
    only = options.only.split(",")
    if options.profile:
        profile = cProfile.Profile()
        atexit.register(profile.dump_stats, options.profile)
        profile.enable()
    with tempfile.TemporaryDirectory(prefix="mvmdb-bench-") as scratch:
        folder = Path(scratch)
        if "time" in only and SHARED.is_dir():
            print(measure_time(folder), end="\n\n")
        if "field" in only:
            counts = [int(n) for n in options.counts.split(",")]
            print(measure_field(folder, counts, options.methods.split(","), options.side, options.executor))


if __name__ == "__main__":
    main()
