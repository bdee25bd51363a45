"""How far mosaics by the method mvmdb differ from those by hap, of the exposures of the comparison with drizzlepac.

    python -m conformance.pixels.methods [--work DIR] [--print] [ers acs uvis wfpc2]

Run by `make conformance-methods`, which writes the table into docs/conformance.md. The mosaics have one canvas.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from astropy.io import fits
from generated import write_page

from conformance.accuracy.ways import table
from conformance.pixels.compare import Difference, compare_products
from conformance.pixels.exposures import SETS, SKYCELL, write_set_poller
from conformance.pixels.run import run_mvmdb
from conformance.places import REPOSITORY, shared_folder

PAGE = REPOSITORY / "docs/conformance.md"
MAKER = "make conformance-methods"
HEADINGS = (
    "layer", "pixels", "sky", "SCI median", "SCI less its median: median", "99%", "99.9%", "WHT 99%", "exposed in one",
)  # fmt: skip


def main() -> None:
    """Compare the requested sets, print the table, and write it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sets", nargs="*", metavar="SET", help=f"any of {', '.join(SETS)} (default: all)")
    parser.add_argument("--work", type=Path, help="a folder to work in and keep (default: a temporary one)")
    parser.add_argument("--print", action="store_true", help="print the table, and write nothing")
    chosen = parser.parse_args()
    if unknown := [name for name in chosen.sets if name not in SETS]:
        parser.error(f"found {', '.join(unknown)}; expected sets of {', '.join(SETS)}")
    shared = shared_folder()
    with tempfile.TemporaryDirectory() as scratch:
        work = (chosen.work or Path(scratch)).resolve()
        rows = [row for name in chosen.sets or SETS for row in compare_methods(name, work / name, shared)]
    text = table(HEADINGS, rows)
    print(text)
    if not chosen.print:
        write_page(PAGE, [("methods", text)], MAKER)


def compare_methods(name: str, folder: Path, shared: Path) -> Iterator[list[str]]:
    """Drizzle one set by both methods; a row for each layer."""
    exposures = folder / "exposures"
    if not exposures.exists():
        exposures.mkdir(parents=True)
        SETS[name](exposures, shared)
    poller = write_set_poller(exposures)
    for method in ("hap", "mvmdb"):
        run_mvmdb(poller, folder / method, method)
    for before in sorted((folder / "hap" / SKYCELL).glob("*_dr?.fits")):
        after = folder / "mvmdb" / SKYCELL / before.name
        yield format_row(compare_products(before, after), *differ(before, after))


def differ(before: Path, after: Path) -> tuple[float, np.ndarray]:
    """SCI of two mosaics of one canvas: the median of their difference, and percentiles of what differs from it."""
    with fits.open(before) as ours, fits.open(after) as theirs:
        both = (ours["WHT"].data > 0) & (theirs["WHT"].data > 0)
        difference = theirs["SCI"].data[both].astype(np.float64) - ours["SCI"].data[both]
    level = float(np.median(difference))
    return level, np.percentile(np.abs(difference - level), [50, 99, 99.9])


def format_row(found: Difference, level: float, rest: np.ndarray) -> list[str]:
    """One row of the table, all but WHT in units of the sky's deviation."""
    layer = found.product.removeprefix(f"hst_{SKYCELL}_").rsplit("_", 1)[0]
    return [
        layer, f"{found.pixels:,}", f"{found.sky:.5f}", f"{level / found.sigma:+.5f}",
        *(f"{value / found.sigma:.5f}" for value in rest), f"{found.weight[1]:.1e}",
        f"{found.only_peer}, {found.only_ours}",
    ]  # fmt: skip


if __name__ == "__main__":
    main()
