"""The noise of an exposure's pixels: of a flat sky, of a field of stars, of flagged pixels, and of none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from mosaic_field import Field, Star

from mvmdb.mosaic.skies.noise import measure_noise

AREA = 0.1282500028610229**2


def noise_of(field: Field, path: Path) -> float:
    """In electrons/s of a pixel."""
    job = field.job([path, field.expose("zz", east=1.0)])
    member = next(member for member in job.members if member.path == str(path))
    return measure_noise(member, job.recipe) * AREA


def test_noise_is_measured_whatever_the_sky_and_the_stars(tmp_path: Path) -> None:
    field = Field(tmp_path)
    stars = [Star(53.05903846302 + 1e-4 * n, -27.70586104406, 50.0) for n in range(5)]
    for number, (sky, noise) in enumerate([(0.5, 0.02), (30.0, 0.4)]):
        plain = field.expose(f"a{number}", sky=sky, noise=noise, shape=(256, 256))
        starry = field.expose(f"b{number}", sky=sky, noise=noise, stars=stars, shape=(256, 256))
        assert noise_of(field, plain) == pytest.approx(noise, rel=0.05)
        assert noise_of(field, starry) == pytest.approx(noise, rel=0.06)


def test_flagged_pixels_do_not_count_and_nothing_is_left_of_none(tmp_path: Path) -> None:
    field = Field(tmp_path)
    dq = np.zeros((64, 64), "i2")
    dq[:, ::2] = 4
    assert noise_of(field, field.expose("aa", noise=0.1, dq=dq)) == 0.0
