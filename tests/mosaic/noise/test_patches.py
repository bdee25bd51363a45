"""The correlation of few exposures whose drops leave gaps: against drizzle itself, and where weights are even."""

from __future__ import annotations

import math

import numpy as np
import pytest
from drizzle.resample import Drizzle

from mvmdb.mosaic.noise.correlation import Matrix, combine
from mvmdb.mosaic.noise.drops import ChipDrop, correlation_of_layer
from mvmdb.mosaic.noise.patches import PixelGrid, correlate_grids, shares_of_drops


def sides(side: float, degrees: float, flipped: bool = False) -> Matrix:
    c, s = side * math.cos(math.radians(degrees)), side * math.sin(math.radians(degrees))
    return ((-s, c), (c, s)) if flipped else ((c, -s), (s, c))


def grid(side: float, degrees: float, pixfrac: float, weight: float = 1.0, variance: float = 1.0) -> PixelGrid:
    return PixelGrid(sides(side, degrees), sides(side * pixfrac, degrees), weight, variance)


@pytest.mark.parametrize("flipped", [False, True])
@pytest.mark.parametrize(("side", "degrees"), [(3.2, 20.0), (1.25, 0.0), (0.6, 45.0), (1.0, 90.0), (2.0, 163.7)])
def test_shares_are_those_of_drizzle(side: float, degrees: float, flipped: bool) -> None:
    pixel, size, pixfrac = np.array(sides(side, degrees, flipped)), 13, 0.7
    centre = np.array([6.27, 5.81])
    y, x = np.mgrid[-1:2, -1:2].astype(float)
    weight = np.zeros((3, 3), np.float32)
    weight[1, 1] = 1.0
    engine = Drizzle(kernel="square", out_shape=(size, size), disable_ctx=True)
    pixmap = np.stack([x, y], -1) @ pixel.T + centre - 0.5
    engine.add_image(np.ones((3, 3), np.float32), 1.0, pixmap, weight_map=weight, pixfrac=pixfrac)
    shares = shares_of_drops(pixel * pixfrac, centre[:, None], size)[0]
    assert shares.sum() == pytest.approx(1.0, abs=1e-9)
    assert shares == pytest.approx(engine.out_wht / engine.out_wht.sum(), abs=2e-5)


@pytest.mark.parametrize(("side", "degrees"), [(3.2, 17.0), (1.25, 0.0), (0.8, 33.0)])
def test_where_weights_are_even_it_is_the_mean_over_positions(side: float, degrees: float) -> None:
    whole = grid(side, degrees, 1.0)
    even = combine({whole.drop: 1.0})
    sampled = correlate_grids((whole, grid(side, degrees + 40.0, 1.0)))
    assert sampled.factor == pytest.approx(even.factor, rel=4e-3)  # turning a drop changes R by so much
    for radius in (1, 3, 10):
        assert correlate_grids((whole,)).factor_at(radius) == pytest.approx(even.factor_at(radius), rel=2e-3)


@pytest.mark.parametrize(("side", "pixfrac", "larger"), [(1.25, 0.8, 0.048), (3.2, 0.8, 0.127), (3.2, 0.6, 0.367)])
def test_gaps_of_one_exposure_count_so_much(side: float, pixfrac: float, larger: float) -> None:
    gappy = grid(side, 163.7, pixfrac)
    factor = correlate_grids((gappy,)).factor / combine({gappy.drop: 1.0}).factor
    assert factor == pytest.approx(1.0 + larger, abs=0.012)


def test_many_exposures_make_weights_even() -> None:
    even = combine({grid(1.25, 0.0, 0.8).drop: 1.0}).factor
    factors = [
        correlate_grids(tuple(grid(1.25, 11.0 * i, 0.8) for i in range(number))).factor for number in (1, 2, 6, 32)
    ]
    assert factors == sorted(factors, reverse=True)
    assert factors[0] > 1.04 * even
    assert factors[-1] == pytest.approx(even, rel=4e-3)


@pytest.mark.parametrize(
    ("weights", "pixfrac"), [((1.0,), 0.7), ((1.0, 1.0), 0.7), ((1.0, 0.1), 0.7), ((1.0, 1.0, 0.3), 0.5)]
)
def test_sums_of_drizzled_noise_scatter_so(weights: tuple[float, ...], pixfrac: float) -> None:
    """Squares of 5 x 5 output pixels of mosaics, whose exposures are slightly magnified to one another."""
    side, count, trials = 1.7, 400, 4
    rng = np.random.default_rng(5)
    size = int(side * count)
    places = []
    y, x = np.mgrid[:count, :count].astype(float) - count / 2
    for number in range(len(weights)):
        magnified = np.array(sides(side * (1 + 0.004 * number), 13.0 + 2.0 * number))
        places.append(np.stack([x, y], -1) @ magnified.T + size / 2)
    squares = np.zeros((size, size))  # the sum of (w a)^2, from one pixel in nine at a time, whose drops are apart
    ones = np.ones((count, count), np.float32)
    for place, weight in zip(places, weights, strict=True):
        for first in range(9):
            some = np.zeros_like(ones)
            some[first // 3 :: 3, first % 3 :: 3] = weight
            alone = Drizzle(kernel="square", out_shape=(size, size), disable_ctx=True)
            alone.add_image(ones, 1.0, place, weight_map=some, pixfrac=pixfrac, iscale=1.0)
            squares += alone.out_wht.astype(float) ** 2
    inner = slice(size // 4, size // 4 + size // 10 * 5)
    blocks = size // 10
    seen = []
    for _ in range(trials):
        engine = Drizzle(kernel="square", out_shape=(size, size), disable_ctx=True)
        for place, weight in zip(places, weights, strict=True):
            noise = rng.normal(size=ones.shape).astype(np.float32)
            engine.add_image(noise, 1.0, place, weight_map=weight * ones, pixfrac=pixfrac, iscale=1.0)
        science, total = (plane[inner, inner].astype(float) for plane in (engine.out_img, engine.out_wht))
        planes = science, squares[inner, inner] / total**2
        sums, variances = (plane.reshape(blocks, 5, blocks, 5).sum(axis=(1, 3)) for plane in planes)
        seen.append(np.mean(sums**2) / np.mean(variances))
    grids = tuple(grid(side, 13.0 + 2.0 * i, pixfrac, weight, 1.0) for i, weight in enumerate(weights))
    factor = correlate_grids(grids).factor_of(np.ones((5, 5)))
    assert math.sqrt(np.mean(seen)) == pytest.approx(factor, rel=3.0 / math.sqrt(2 * trials * sums.size))


def test_exposures_of_one_orientation_are_displaced_to_one_another() -> None:
    alone, twice = (correlate_grids((grid(1.25, 0.0, 0.8),) * number).factor for number in (1, 2))
    assert twice < 0.985 * alone


def test_outlines_may_have_any_number_of_corners() -> None:
    pixel = sides(1.25, 10.0)
    small = sides(1.0, 10.0)
    square = np.array([[0.0, 0.0], [90.0, 0.0], [90.0, 90.0], [0.0, 90.0]])
    cut = np.array([[0.0, 0.0], [90.0, 0.0], [90.0, 80.0], [80.0, 90.0], [0.0, 90.0]])
    chips = [ChipDrop(row, outline, pixel, small, 100.0, 70.0) for row, outline in enumerate((square, cut))]
    alike = [ChipDrop(row, square, pixel, small, 100.0, 70.0) for row in range(2)]
    assert correlation_of_layer(chips).factor == pytest.approx(correlation_of_layer(alike).factor, rel=2e-3)


def test_the_same_grids_give_the_same_numbers() -> None:
    grids = (grid(1.25, 10.0, 0.8), grid(1.25, 30.0, 0.8, 0.5, 2.0))
    first = correlate_grids(grids).covariance
    correlate_grids.cache_clear()
    assert np.array_equal(first, correlate_grids(grids).covariance)
    assert np.array_equal(first, first[::-1, ::-1])
