"""Errors of mosaics: drizzle's squared weights turn members' errors into the spread that noise gives the pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytest
from drizzle.resample import Drizzle

from mvmdb.mosaic.drizzle.planes import Planes
from mvmdb.mosaic.drizzle.variance import error_of, pixel_variance, variance_of

SHAPE, CANVAS = (12, 14), (20, 24)
ISCALE = 0.64  # pixels 1.25 times as wide as the canvas'


@dataclass
class Shot:
    """A detector's pixels: values and errors in `units`, turned and moved on the canvas."""

    science: np.ndarray
    error: np.ndarray
    good: np.ndarray
    angle: float
    units: str = "cps"
    exptime: float = 100.0

    def pixmap(self) -> np.ndarray:
        y, x = np.indices(SHAPE, float) - np.reshape(SHAPE, (2, 1, 1)) / 2
        turn = 1.25 * np.exp(1j * self.angle) * (x + 1j * y)
        return np.stack([turn.real + CANVAS[1] / 2, turn.imag + CANVAS[0] / 2], axis=-1)


def shots(rng: np.random.Generator) -> list[Shot]:
    return [
        Shot(np.zeros(SHAPE), rng.uniform(0.5, 2.0, SHAPE), rng.random(SHAPE) > 0.1, 0.3),
        Shot(np.zeros(SHAPE), rng.uniform(30, 90, SHAPE), rng.random(SHAPE) > 0.1, -0.8, "counts", 50.0),
        Shot(np.zeros(SHAPE), rng.uniform(0.1, 0.3, SHAPE), rng.random(SHAPE) > 0.1, 1.7, "cps", 300.0),
    ]


def drizzle(
    members: Sequence[Shot], planes: Planes, variance: np.ndarray | None, exptime: float = 0.0
) -> tuple[Planes, np.ndarray | None]:
    """Add members as drizzle/members.py does, with the variance plane or without one."""
    second = {} if variance is None else {"out_img2": [variance]}
    engine = Drizzle(
        kernel="square", fillval="INDEF", out_img=planes.science, out_wht=planes.weight, exptime=exptime,
        disable_ctx=True, **second,
    )  # fmt: skip
    for shot in members:
        more = {} if variance is None else {"data2": [pixel_variance(shot.error, shot.good)]}
        engine.add_image(
            shot.science.astype("f4"), exptime=shot.exptime, pixmap=shot.pixmap(), iscale=ISCALE,
            pixel_scale_ratio=ISCALE**0.5, weight_map=shot.good * np.float32(shot.exptime), in_units=shot.units, **more,
        )  # fmt: skip
    return planes, variance


def test_errors_are_the_spread_that_noise_gives_each_pixel() -> None:
    rng = np.random.default_rng(3)
    members = shots(rng)
    planes, variance = drizzle(members, Planes.empty(CANVAS), np.zeros(CANVAS, np.float32))
    assert variance is not None
    error = error_of(variance, planes.weight)
    trials = []
    for _ in range(2000):
        for shot in members:
            shot.science = rng.normal(0, shot.error)
        trials.append(drizzle(members, Planes.empty(CANVAS), None)[0].science.copy())
    exposed = planes.weight > 0
    ratio = np.std(trials, axis=0)[exposed] / error[exposed]
    assert exposed.sum() > 300
    assert np.abs(ratio - 1).max() < 5 / np.sqrt(2 * len(trials))  # 5 sigma of a spread from 2000 trials


def test_science_and_weight_do_not_depend_on_whether_errors_are_kept() -> None:
    members = shots(np.random.default_rng(4))
    for shot in members:
        shot.science = shot.error * 3
    with_errors, _ = drizzle(members, Planes.empty(CANVAS), np.zeros(CANVAS, np.float32))
    without, _ = drizzle(members, Planes.empty(CANVAS), None)
    assert np.array_equal(with_errors.science, without.science)
    assert np.array_equal(with_errors.weight, without.weight)


def test_equal_errors_shrink_with_the_number_of_members() -> None:
    shot = Shot(np.zeros(SHAPE), np.full(SHAPE, 2.0), np.ones(SHAPE, bool), 0.0)
    one, first = drizzle([shot], Planes.empty(CANVAS), np.zeros(CANVAS, np.float32))
    nine, ninth = drizzle([shot] * 9, Planes.empty(CANVAS), np.zeros(CANVAS, np.float32))
    assert first is not None
    assert ninth is not None
    exposed = one.weight > 0
    assert error_of(ninth, nine.weight)[exposed] == pytest.approx(error_of(first, one.weight)[exposed] / 3, rel=1e-5)


def test_adding_to_a_stored_error_plane_is_drizzling_all() -> None:
    members = shots(np.random.default_rng(5))
    whole, all_at_once = drizzle(members, Planes.empty(CANVAS), np.zeros(CANVAS, np.float32))
    planes, variance = drizzle(members[:2], Planes.empty(CANVAS), np.zeros(CANVAS, np.float32))
    assert all_at_once is not None
    assert variance is not None
    stored = variance_of(error_of(variance, planes.weight), planes.weight)
    planes, variance = drizzle(members[2:], planes, stored, exptime=150.0)
    assert variance is not None
    expected = error_of(all_at_once, whole.weight)
    assert error_of(variance, planes.weight) == pytest.approx(expected, rel=1e-6, nan_ok=True)


def test_error_is_nan_exactly_where_weight_is_0() -> None:
    planes, variance = drizzle(shots(np.random.default_rng(6))[:1], Planes.empty(CANVAS), np.zeros(CANVAS, np.float32))
    assert variance is not None
    error = error_of(variance, planes.weight)
    assert np.array_equal(np.isnan(error), planes.weight == 0)
    assert 0 < np.isnan(error).sum() < error.size


@pytest.mark.parametrize("unknown", [0.0, -1.0, np.nan, np.inf])
def test_an_unknown_error_of_a_good_pixel_is_unknown_in_the_mosaic_where_it_counts(unknown: float) -> None:
    shot = shots(np.random.default_rng(7))[0]
    shot.good[:] = True
    shot.error[6, 7] = unknown
    alone = Shot(shot.science, shot.error, np.zeros(SHAPE, bool), shot.angle)
    alone.good[6, 7] = True
    reached = drizzle([alone], Planes.empty(CANVAS), None)[0].weight > 0
    planes, variance = drizzle([shot], Planes.empty(CANVAS), np.zeros(CANVAS, np.float32))
    assert variance is not None
    error = error_of(variance, planes.weight)
    assert np.array_equal(np.isnan(error) & (planes.weight > 0), reached)
    shot.good[6, 7] = False
    planes, variance = drizzle([shot], Planes.empty(CANVAS), np.zeros(CANVAS, np.float32))
    assert variance is not None
    assert not np.isnan(error_of(variance, planes.weight)[planes.weight > 0]).any()
