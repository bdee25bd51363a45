"""How much worse the skies of many exposures are by a few pairs of each than by all pairs: less than 1.2 times.

Offsets of two pairs with one exposure in common are not independent: both have its noise. The medians of differences
of pixels a - b and a - c are, as the signs of the differences are, correlated by (2 / pi) arcsin(1 / 2) = 1/3. So of
the variance of a pair one third is noise of either exposure, which no number of pairs lessens, and one third its own.
"""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from mosaic_field import CELL, Field
from skysources import everything, scattered, sources_of, squares

from mvmdb.mosaic.grid import LayerGrid
from mvmdb.mosaic.skies.choose import choose_pairs
from mvmdb.mosaic.skies.compare import compare_exposures, read_sky_chips
from mvmdb.mosaic.skies.solve import solve_skies


@pytest.mark.parametrize("n", [25, 100, 700])
def test_the_covariance_of_sparse_skies_is_that_of_all_pairs_within_a_fifth(n: int) -> None:
    sources = squares(scattered("one field", n))
    laplacian = np.zeros((n, n))
    for i, j in choose_pairs(sources, everything(sources)):
        laplacian[[i, j], [j, i]] -= 1
        laplacian[[i, j], [i, j]] += 1
    covariance = np.linalg.pinv(laplacian, hermitian=True)
    variances = np.diag(covariance)
    resistance = (variances[:, None] + variances - 2 * covariance)[np.triu_indices(n, 1)]
    shared, own = 2 / 3, 1 / 3  # of the variance of a pair's offset
    sparse, dense = shared + own * resistance.mean(), shared + own * 2 / n  # of all pairs, the resistance is 2 / n
    assert np.sqrt(sparse / dense) < 1.2
    assert np.sqrt((shared + own * resistance.max()) / dense) < 1.5  # of no two exposures much worse


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
