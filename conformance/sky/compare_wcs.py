"""Checks that every sky cell's WCS is drizzlepac's, for all 1,166,004 cells at both scales.

Both sides run the real code, once per cell: drizzlepac's `SkyCell(projection_cell=..., x=..., y=..., scale=...)`
and mvmdb's `cell_wcs`. Run from the repository's root by `make conformance-sky`; exits with 1 when a size, CRVAL, CD or
fine CRPIX differs at all, a coarse CRPIX by more than its last bit, or a corner by more than 1e-8 arcsec.
"""

from __future__ import annotations

import argparse
import sys
import time
from importlib.metadata import version

import numpy as np
from drizzlepac.haputils.cell_utils import ProjectionCell, SkyCell

from mvmdb.names import CELLS_PER_SIDE, N_PROJECTION_CELLS, CellId
from mvmdb.sky.sphere import sky_to_vector
from mvmdb.sky.tessellation import CELL_SIZE, COARSE, STEP, cell_wcs, plane_to_sky

ZOOM = {"fine": 1, "coarse": COARSE}
QUANTITIES = {
    "CRPIX (pixels)": slice(0, 2),
    "CRVAL (degrees)": slice(2, 4),
    "CD (degrees)": slice(4, 8),
    "NAXIS (pixels)": slice(8, 10),
}
CORNER = "corners (arcsec)"
GRID = [(x, y) for y in range(1, CELLS_PER_SIDE + 1) for x in range(1, CELLS_PER_SIDE + 1)]


def read_numbers(wcs):
    """CRPIX, CRVAL, CD and size of one WCS, ten numbers."""
    return [*wcs.wcs.crpix, *wcs.wcs.crval, *wcs.wcs.cd.ravel(), *wcs.pixel_shape]


def load_theirs(p, scale):
    """(441, 10) numbers and (441, 4, 2) corners, ra and dec, of one projection cell's sky cells by drizzlepac."""
    projection_cell = ProjectionCell(index=p)
    cells = [SkyCell(projection_cell=projection_cell, x=x, y=y, scale=scale) for x, y in GRID]
    return np.array([read_numbers(cell.wcs) for cell in cells]), np.array([cell.corners[:4] for cell in cells])


def load_ours(p, scale):
    """The same from mvmdb; the corners are computed in the plane in which memberships are decided."""
    numbers = np.array([read_numbers(cell_wcs(CellId(p, x, y), scale)) for x, y in GRID])
    zoom, (x, y) = ZOOM[scale], np.array(GRID).T
    low, high = zoom, CELL_SIZE // zoom * zoom  # centres of the first and last pixel, in fine pixels
    corner_x, corner_y = np.array([low, low, high, high]), np.array([low, high, high, low])
    ra, dec = plane_to_sky(p, corner_x + (x[:, None] - 1) * STEP, corner_y + (y[:, None] - 1) * STEP)
    return numbers, np.stack([ra, dec], axis=-1)


def measure_separation(a, b):
    """Arcsec between positions (..., 2) in degrees, from the chord, which is accurate for small angles."""
    first, second = sky_to_vector(a[..., 0], a[..., 1]), sky_to_vector(b[..., 0], b[..., 1])
    return np.rad2deg(np.sqrt(((first - second) ** 2).sum(axis=0))) * 3600.0


def compare(scale, projection_cells):
    """Largest difference of each quantity over whole projection cells, and where; number of cells that differ."""
    worst = dict.fromkeys((*QUANTITIES, CORNER), (0.0, None))
    last_bits, n_differing = 0.0, dict.fromkeys(QUANTITIES, 0)
    for p in projection_cells:
        (theirs, their_corners), (ours, our_corners) = load_theirs(p, scale), load_ours(p, scale)
        difference = np.abs(theirs - ours)
        largest = {name: difference[:, columns].max(axis=1) for name, columns in QUANTITIES.items()}
        largest[CORNER] = measure_separation(their_corners, our_corners).max(axis=1)
        last_bits = max(last_bits, float((difference[:, :2] / np.spacing(np.abs(ours[:, :2]))).max()))
        for name, values in largest.items():
            cell = int(np.argmax(values))
            if values[cell] > worst[name][0]:
                worst[name] = (float(values[cell]), str(CellId(p, *GRID[cell])))
            if name in QUANTITIES:
                n_differing[name] += int((values > 0).sum())
    return worst, n_differing, last_bits


def main():
    """Compare, print a table for each scale, and return the number of scales that are not as expected."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--every", type=int, default=1, metavar="N", help="compare every Nth projection cell only")
    projection_cells = range(0, N_PROJECTION_CELLS, parser.parse_args().every)
    n_cells, failures = len(projection_cells) * len(GRID), 0
    print(f"drizzlepac {version('drizzlepac')}, astropy {version('astropy')}, numpy {version('numpy')}")
    for scale in ZOOM:
        began = time.perf_counter()
        worst, n_differing, last_bits = compare(scale, projection_cells)
        print(f"\n{scale}: {n_cells:,} sky cells of {len(projection_cells):,} projection cells")
        for name, (value, where) in worst.items():
            count = f"{n_differing[name]:,} cells differ" if name in n_differing else ""
            print(f"  {name:17} largest difference {value:<10.3g} {count} {f'(largest in {where})' if where else ''}")
        print(f"  CRPIX differs by at most {last_bits:g} last bits; {time.perf_counter() - began:.0f} s")
        exact = [worst[name][0] == 0.0 for name in QUANTITIES if name[:5] != "CRPIX"]
        failures += not (all(exact) and last_bits <= (scale == "coarse") and worst[CORNER][0] < 1e-8)
    print("\nfailed" if failures else "\nas expected")
    return failures


if __name__ == "__main__":
    sys.exit(1 if main() else 0)
