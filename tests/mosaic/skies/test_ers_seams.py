"""Seams between real exposures, after either method's skies are subtracted."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from mosaic_field import CELL, Field
from skysources import seam, sources_of

from mvmdb.mosaic.grid import LayerGrid
from mvmdb.mosaic.skies.differences import measure_differences
from mvmdb.mosaic.skies.measure import find_neighbours, measure_pairs
from mvmdb.mosaic.skies.solve import solve_skies

AREA = 0.1282500028610229**2


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
