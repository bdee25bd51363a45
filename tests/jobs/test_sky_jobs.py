"""Pairs whose skies are measured are divided into jobs so that each exposure is read for few of them."""

from __future__ import annotations

import numpy as np

from mvmdb.jobs.sky_jobs import PAIRS_AT_ONCE, divide_pairs
from mvmdb.layers.recipes import choose_recipe
from mvmdb.mosaic.skies.choose import choose_overlapping
from mvmdb.names import CellId
from mvmdb.records import MemberInput
from mvmdb.sky.overlaps import find_overlaps
from mvmdb.sky.tessellation import projection_cell_centers

CELL = CellId(726, 11, 11)
RA, DEC = (float(value) for value in projection_cell_centers(726))  # the middle of the cell
N = 400


def regions_of_one_field() -> dict[str, str]:
    """Footprints of 130 arcsec that all overlap; names tell nothing of places."""
    rng, regions = np.random.default_rng(1), {}
    for n in range(N):
        east, north = rng.uniform(-10, 10, 2) / 3600
        corners = [(RA + (east + a) / np.cos(np.radians(DEC)), DEC + north + b) for a, b in CORNERS]
        regions[f"ib6o{n:04d}"] = "POLYGON ICRS " + " ".join(f"{x:.8f} {y:.8f}" for x, y in corners)
    return regions


CORNERS = tuple((a * 65 / 3600, b * 65 / 3600) for a, b in ((-1, -1), (1, -1), (1, 1), (-1, 1)))


def test_an_exposure_is_read_for_few_jobs_of_a_deep_field() -> None:
    regions = regions_of_one_field()
    members = {name: MemberInput(name, f"/data/{name}.fits", "t:0", None, "w", "g") for name in regions}
    overlaps = find_overlaps({CELL.index: list(regions)}, regions, choose_overlapping)
    recipe = choose_recipe("wfc3", "ir", "f125w", "fine", 2)
    jobs = divide_pairs(members, overlaps, regions.keys(), recipe, {}, None, regions)
    assert sorted(pair for job in jobs for pair in job.pairs) == sorted((o.first, o.second) for o in overlaps)
    assert sorted(name for job in jobs for name in job.noise_of) == sorted(regions)
    assert all(len(job.pairs) <= PAIRS_AT_ONCE for job in jobs)
    assert all({m.ipppssoo for m in job.members} == {name for pair in job.pairs for name in pair} for job in jobs)
    # In the order of names each would be read for 3.6 jobs.
    assert sum(len(job.members) for job in jobs) < 2.1 * N
    assert jobs == divide_pairs(members, overlaps[::-1], regions.keys(), recipe, {}, None, regions)
