"""The correlation factor: against published formulas, against drizzle itself, and in headers."""

from __future__ import annotations

import math

import numpy as np
import pytest
from astropy.io import fits
from drizzle.resample import Drizzle

from mvmdb.errors import UsageError
from mvmdb.mosaic.noise.circles import circle_shares
from mvmdb.mosaic.noise.correlation import NoiseCorrelation, combine, correlate_drop, side_of


def square(side: float, degrees: float = 0.0, stretch: float = 1.0) -> tuple[tuple[float, float], tuple[float, float]]:
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return ((side * stretch * c, -side / stretch * s), (side * stretch * s, side / stretch * c))


@pytest.mark.parametrize("side", [0.3, 0.7, 0.99, 1.0, 1.07, 1.25, 2.5, 3.2])
def test_factor_of_an_upright_drop_is_that_of_fruchter_and_hook(side: float) -> None:
    published = side / (1 - 1 / (3 * side)) if side >= 1 else 1 / (1 - side / 3)
    correlation = combine({square(side): 7.0})
    assert correlation.factor == pytest.approx(published, rel=5e-4)
    assert side_of(published) == pytest.approx(side, rel=1e-9)


@pytest.mark.parametrize("side", [0.4, 0.99, 1.25, 3.2])
def test_turning_or_stretching_a_drop_hardly_changes_the_factor(side: float) -> None:
    upright = combine({square(side): 1.0}).factor
    for degrees in (10, 22.5, 45, 80):
        assert combine({square(side, degrees): 1.0}).factor == pytest.approx(upright, rel=4e-3)
        assert combine({square(side, degrees, 1.06): 1.0}).factor == pytest.approx(upright, rel=6e-3)


def test_a_point_has_no_correlation() -> None:
    correlation = combine({((0.0, 0.0), (0.0, 0.0)): 1.0})
    assert (correlation.factor, correlation.factor_at(3.0)) == (1.0, 1.0)


@pytest.mark.parametrize("pixfrac", [1.0, 0.7])
@pytest.mark.parametrize(("side", "degrees"), [(3.2, 20.0), (1.25, 5.0), (0.6, 33.0)])
def test_covariance_is_that_of_weights_that_drizzle_gives(side: float, degrees: float, pixfrac: float) -> None:
    # One input pixel at a time, at positions all over an output pixel: its weights, times themselves shifted.
    turned = np.array(square(side, degrees))
    size, total = 17, 0.0
    for shift_x in (np.arange(12) + 0.5) / 12:
        for shift_y in (np.arange(12) + 0.5) / 12:
            y, x = np.mgrid[-1:2, -1:2].astype(float)
            pixmap = np.stack([x, y], -1) @ turned.T + size // 2 + np.array([shift_x, shift_y]) - 0.5
            weight = np.zeros((3, 3), np.float32)
            weight[1, 1] = 1.0
            engine = Drizzle(kernel="square", out_shape=(size, size), disable_ctx=True)
            engine.add_image(np.ones((3, 3), np.float32), 1.0, pixmap, weight_map=weight, pixfrac=pixfrac)
            shares = np.abs(np.fft.rfft2(engine.out_wht.astype(float), (2 * size, 2 * size))) ** 2
            total = total + np.fft.fftshift(np.fft.irfft2(shares))
    expected = correlate_drop(tuple(tuple(row) for row in (turned * pixfrac).tolist()))  # type: ignore[arg-type]
    half = len(expected) // 2
    seen = total[size - half : size + half + 1, size - half : size + half + 1]
    assert seen / seen[half, half] == pytest.approx(expected / expected[half, half], abs=0.012)
    assert total.sum() / seen[half, half] == pytest.approx(expected.sum() / expected[half, half], rel=0.01)


def test_members_add_up_by_their_part_of_a_pixels_variance() -> None:
    small, large = square(0.9), square(3.0)
    parts = {small: 2.0, large: 5.0}
    middle = {
        drop: float(array[len(array) // 2, len(array) // 2]) for drop in parts for array in [correlate_drop(drop)]
    }
    whole = sum(parts[drop] * middle[drop] * combine({drop: 1.0}).factor ** 2 for drop in parts)
    assert combine(parts).factor ** 2 == pytest.approx(whole / sum(parts[d] * middle[d] for d in parts), rel=1e-9)


def test_factor_grows_with_the_aperture_to_that_of_large_sums() -> None:
    correlation = combine({square(3.2, 17): 1.0})
    factors = [correlation.factor_at(radius) for radius in (0.3, 1, 2, 3, 5, 10, 20, 100)]
    assert factors == sorted(factors)
    assert factors[0] >= 1.0
    assert factors[-1] == pytest.approx(correlation.factor, rel=0.01)
    assert correlation.factor_of(np.ones((1, 1))) == 1.0
    pair = 1 + correlation.covariance[len(correlation.covariance) // 2, len(correlation.covariance) // 2 + 1]
    assert correlation.factor_of(np.ones((1, 2), bool)) == pytest.approx(math.sqrt(pair))


def test_header_tells_the_correlation() -> None:
    correlation = combine({square(3.2, 30, 1.05): 1.0})
    header = fits.Header([(key, *card) for key, card in correlation.cards().items()])
    assert header["CORRFACT"] == pytest.approx(correlation.factor, abs=1e-4)
    read = NoiseCorrelation.from_header(header)
    for radius in (1, 2, 3, 5, 10, 20):
        assert header[f"CORRF{radius}"] == pytest.approx(correlation.factor_at(radius), abs=1e-4)
        assert read.factor_at(radius) == pytest.approx(correlation.factor_at(radius), rel=5e-3)
    for card in header.cards:
        assert len(card.image) == 80
        card.verify("exception")


@pytest.mark.parametrize("side", [None, "3.2", True, -1.0, float("inf")])
def test_header_that_tells_nothing_is_refused(side: object) -> None:
    with pytest.raises(UsageError, match="found no CORRDROP"):
        NoiseCorrelation.from_header({"CORRDROP": side})


def test_aperture_without_pixels_is_refused() -> None:
    for shares in (np.zeros((3, 3)), np.ones(4)):
        with pytest.raises(UsageError, match="without pixels"):
            combine({square(1.0): 1.0}).factor_of(shares)


# Circles


@pytest.mark.parametrize(("x", "y", "radius"), [(0, 0, 1), (0.3, -0.2, 0.2), (5.2, 3.7, 4.4), (-3, 0.5, 20.0)])
def test_shares_of_a_circle_add_up_to_its_area(x: float, y: float, radius: float) -> None:
    bottom, left, shares = circle_shares(x, y, radius)
    assert shares.sum() == pytest.approx(math.pi * radius**2, rel=1e-12)
    fine = (np.arange(200) + 0.5) / 200 - 0.5
    for row, column in ((0, 0), (shares.shape[0] // 3, shares.shape[1] // 5), (shares.shape[0] - 1, 0)):
        inside = np.hypot(fine[None, :] + column + left - x, fine[:, None] + row + bottom - y) < radius
        assert shares[row, column] == pytest.approx(inside.mean(), abs=2e-3)


def test_centers_count_whole_or_not() -> None:
    bottom, left, shares = circle_shares(10.0, 20.0, 1.0, "center")
    assert (bottom, left, shares.tolist()) == (19, 9, [[0, 1, 0], [1, 1, 1], [0, 1, 0]])


@pytest.mark.parametrize(
    "arguments", [(0, 0, 0), (0, 0, -1), (0, 0, math.nan), (math.nan, 0, 1), (0, 0, 1, "subpixel")]
)
def test_impossible_circles_are_refused(arguments: tuple[float, float, float]) -> None:
    with pytest.raises(UsageError, match="expected"):
        circle_shares(*arguments)
