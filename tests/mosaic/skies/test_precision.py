"""How much worse the skies of many exposures are by a few pairs of each than by all pairs: less than 1.2 times."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from mosaic_field import CELL, Field
from skysources import scattered, sources_of, sparse_against_all

from mvmdb.mosaic.grid import LayerGrid
from mvmdb.mosaic.skies.choose import choose_pairs
from mvmdb.mosaic.skies.compare import compare_exposures, read_sky_chips
from mvmdb.mosaic.skies.solve import solve_skies


@pytest.mark.parametrize("n", [25, 100, 700])
def test_the_covariance_of_sparse_skies_is_that_of_all_pairs_within_a_fifth(n: int) -> None:
    mean, worst = sparse_against_all(n)
    assert mean < 1.2
    assert worst < 1.5  # of no two exposures much worse


def test_simulated_skies_of_a_few_pairs_are_as_good_as_those_of_all_within_a_fifth(field: Field) -> None:
    n, shape = 18, (56, 56)
    places = scattered("one field", n) / 20
    paths = [field.expose(f"{k:02d}", shape=shape, east=east, north=north) for k, (east, north) in enumerate(places)]
    job = field.job(paths)
    grid = LayerGrid(CELL, "fine", job.canvas)
    sources = sources_of(job, grid)
    names = [source.ipppssoo for source in sources]
    chips = [read_sky_chips(source, job.recipe)[0] for source in sources]
    chosen = choose_pairs(sources, set(names))
    assert len(chosen) < n * (n - 1) / 4
    rng = np.random.default_rng(8)
    errors: dict[str, list[np.ndarray]] = {"all": [], "chosen": []}
    for _ in range(3):
        noisy = [(replace(chip, brightness=rng.normal(0.0, 1.0, shape).astype("f4")),) for chip in chips]
        pairs = {
            (i, j): compare_exposures((names[i], names[j]), noisy[i], noisy[j], grid, job.recipe)
            for i, j in itertools.combinations(range(n), 2)
        }
        for which, used in (("all", pairs.values()), ("chosen", [pairs[pair] for pair in sorted(chosen)])):
            skies = solve_skies(names, list(used), {})
            found = np.array([skies[name] for name in names])
            errors[which].append(found - found.mean())
    ratio = np.std(errors["chosen"]) / np.std(errors["all"])
    assert 1.0 < ratio < 1.2
