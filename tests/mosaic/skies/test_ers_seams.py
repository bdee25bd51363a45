"""Seams between real exposures, after either method's skies are subtracted."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from mosaic_field import CELL, Field
from skysources import sources_of

from mvmdb.mosaic.grid import LayerGrid
from mvmdb.mosaic.skies.differences import measure_differences
from mvmdb.mosaic.skies.measure import find_neighbours, measure_pairs
from mvmdb.mosaic.skies.solve import solve_skies

AREA = 0.1282500028610229**2


def seam(first: Path, second: Path) -> float:
    """The mean difference of an overlap in electrons/s per pixel, without what lies beyond three deviations."""
    with fits.open(first) as one, fits.open(second) as other:
        ours, theirs = WCS(one["SCI", 1].header, one), WCS(other["SCI", 1].header, other)
        rows, columns = one["SCI", 1].shape
        y, x = (axis.ravel() for axis in np.mgrid[3:rows:5, 3:columns:5])
        at = np.rint(theirs.all_world2pix(*ours.all_pix2world(x, y, 0), 0, quiet=True, tolerance=1e-2)).astype(int)
        on = (at[0] >= 0) & (at[0] < columns) & (at[1] >= 0) & (at[1] < rows)
        x, y, u, v = x[on], y[on], at[0][on], at[1][on]
        good = ((one["DQ", 1].data[y, x] | other["DQ", 1].data[v, u]) & ~np.int16(16)) == 0
        difference = (one["SCI", 1].data[y, x] - other["SCI", 1].data[v, u])[good].astype(float)
    middle, width = np.median(difference), 1.4826 * np.median(np.abs(difference - np.median(difference)))
    return float(difference[np.abs(difference - middle) < 3 * width].mean())


@pytest.mark.shared
def test_seams_of_real_exposures_are_no_larger_by_differences(ers_folder: Path, field: Field) -> None:
    job = field.job(sorted(ers_folder.glob("ib6o04*_flt.fits")), mean=6)
    grid = LayerGrid(CELL, "fine", job.canvas)
    sources = sources_of(job, grid)
    names = {source.ipppssoo: Path(source.path) for source in sources}
    neighbours = find_neighbours(sources, set(names))
    by_medians = measure_pairs(sources, neighbours, grid, job.recipe)
    pairs = [(i, j) for i, j in itertools.combinations(range(len(sources)), 2) if j in neighbours[i]]
    by_differences = measure_differences(sources, pairs, grid, job.recipe)
    found = {(a, b): seam(names[a], names[b]) for a, b in itertools.combinations(sorted(names), 2)}
    left = {}
    for method, measured in (("hap", by_medians), ("mvmdb", by_differences)):
        skies = solve_skies(sorted(names), measured, {})
        left[method] = np.sqrt(np.mean([(f - (skies[a] - skies[b]) * AREA) ** 2 for (a, b), f in found.items()]))
    assert left["mvmdb"] < 0.00045
    assert left["mvmdb"] <= left["hap"]
