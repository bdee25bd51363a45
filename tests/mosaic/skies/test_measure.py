"""Measured pairs against skies that are known."""

from __future__ import annotations

import numpy as np
import pytest
from fitsfiles import set_pixels
from mosaic_field import CELL, Field

from mvmdb.exposures.read import read_exposure
from mvmdb.mosaic.grid import LayerGrid
from mvmdb.mosaic.skies.measure import find_neighbours, measure_pairs
from mvmdb.mosaic.skies.source import SkySource
from mvmdb.sky.region import parse_region


def sources_of(field: Field, paths: list, grid: LayerGrid) -> list[SkySource]:
    return [
        SkySource(
            dataset.exposure.ipppssoo,
            str(path),
            tuple(grid.outlines_on_canvas(parse_region(dataset.exposure.s_region))),
        )
        for path, dataset in ((path, read_exposure(path)) for path in paths)
    ]


def test_only_pixels_inside_the_overlap_count(field: Field) -> None:
    # The sky of aa is 1 on its left half and 9 on its right half; bb lies over one of the halves only.
    picture = np.ones((60, 60))
    picture[:, 30:] = 9.0
    left = field.expose("aa", shape=(60, 60), orientat=0.0, sky=0.0)
    set_pixels(left, picture)
    right = field.expose("bb", shape=(60, 60), orientat=0.0, sky=2.0, east=-4.6)
    job = field.job([left, right])
    grid = LayerGrid(CELL, "fine", job.canvas)
    sources = sources_of(field, [left, right], grid)
    pairs = measure_pairs(sources, find_neighbours(sources, {"ib6o04bb"}), grid, job.recipe)
    assert len(pairs) == 1
    area = 0.1282500028610229**2
    assert (pairs[0].first_sky * area, pairs[0].second_sky * area) == pytest.approx((9.0, 2.0))
    assert pairs[0].first_pixels == pytest.approx(60 * (60 - 4.6 / 0.13543), rel=0.04)


def test_bad_pixels_do_not_count_unless_the_recipe_takes_their_bit(field: Field) -> None:
    dq = np.zeros((40, 40), int)
    dq[:, :10], dq[:, 10:14] = 4, 16
    paths = [field.expose("aa", shape=(40, 40), dq=dq), field.expose("bb", shape=(40, 40))]
    job = field.job(paths)
    grid = LayerGrid(CELL, "fine", job.canvas)
    sources = sources_of(field, paths, grid)
    pair = measure_pairs(sources, find_neighbours(sources, {"ib6o04aa"}), grid, job.recipe)[0]
    assert pair.first_pixels == pytest.approx(40 * 30, abs=40)  # bit 16 is good for the sky of WFC3/IR
    assert pair.second_pixels == pytest.approx(40 * 40, abs=80)


def test_pairs_of_kept_members_are_not_read(field: Field) -> None:
    paths = [field.expose("aa"), field.expose("bb", east=1.0)]
    grid = LayerGrid(CELL, "fine", field.job(paths).canvas)
    sources = sources_of(field, paths, grid)
    assert find_neighbours(sources, set()) == {}
    assert find_neighbours(sources, {"ib6o04aa"}) == {0: [1], 1: [0]}


def test_a_new_member_is_compared_with_the_few_known_ones_that_it_overlaps_most(field: Field) -> None:
    names = ["aa", "bb", "cc", "dd", "ee", "ff"]
    paths = [field.expose(name, east=0.7 * n) for n, name in enumerate(names)]
    new = [field.expose("gg"), field.expose("hh", east=0.3)]
    grid = LayerGrid(CELL, "fine", field.job(paths).canvas)
    sources = sources_of(field, [*paths, *new], grid)
    neighbours = find_neighbours(sources, {"ib6o04gg", "ib6o04hh"})
    assert neighbours[6] == [0, 1, 2, 3, 7]  # the nearest four, and the other that is not known either
    assert neighbours[7] == [0, 1, 2, 3, 6]
    assert neighbours[0] == [6, 7]
    assert 4 not in neighbours
