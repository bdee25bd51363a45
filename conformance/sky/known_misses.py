"""Checks that drizzlepac's `get_sky_cells` misses the cells listed for the nine exposures of tests/exactness/cases.py.

Run from the repository's root by `make conformance-sky`. Exits with 1 if drizzlepac finds one of these cells, or if
mvmdb does not have it.
"""

from __future__ import annotations

import contextlib
import logging
import sys
import tempfile
import warnings
from importlib.metadata import version
from pathlib import Path

from astropy.io import fits
from astropy.wcs import WCS
from drizzlepac.haputils.cell_utils import get_sky_cells
from exactness.cases import CASES

from mvmdb.names import CellId
from mvmdb.sky.footprint import chip_outline
from mvmdb.sky.membership import Footprints, find_members


def ask_drizzlepac(path):
    """Names of the cells that drizzlepac finds for one exposure; it opens files in the current folder."""
    with contextlib.chdir(path.parent):
        return set(get_sky_cells([path.name]))


def ask_mvmdb(path):
    """Area of the exposure in each cell, in fine pixels^2, by the cell's name."""
    with fits.open(path) as hdus:
        header = hdus["SCI"].header
        polygon = chip_outline(WCS(header), header["NAXIS1"], header["NAXIS2"])
    members = find_members(Footprints.from_polygons([[polygon]]))
    names = [str(CellId.from_index(index)) for index in members.cell_index]
    return dict(zip(names, members.area.tolist(), strict=True))


def main():
    """Print one line per case and return the number of cases that are not as listed."""
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    print(f"drizzlepac {version('drizzlepac')}, spherical_geometry {version('spherical_geometry')}")
    print(f"{'cause':12} {'ra':>9} {'dec':>9}  {'sky cell':20} {'overlap':>8}  {'mvmdb':6} drizzlepac")
    failures = 0
    for case in CASES:
        with tempfile.TemporaryDirectory() as folder:
            path = case.write(Path(folder))
            theirs, ours = ask_drizzlepac(path), ask_mvmdb(path)
        missed = case.skycell not in theirs
        share = ours.get(case.skycell, 0.0) / max(ours.values())
        said = f"{'missed' if missed else 'found'}; found {', '.join(sorted(theirs)) or 'nothing'}"
        print(f"{case.cause:12} {case.ra:9.4f} {case.dec:9.4f}  {case.skycell:20} {share:7.0%}  "
              f"{'member' if share else 'missed':6} {said}", flush=True)  # fmt: skip
        failures += not missed or not share or bool(theirs - set(ours))
    print("failed" if failures else "as expected: drizzlepac misses each, and finds nothing that mvmdb does not")
    return failures


if __name__ == "__main__":
    sys.exit(1 if main() else 0)
