"""Footprints near a position, against spherical-geometry and against points along their edges."""

from __future__ import annotations

import numpy as np
import pytest
from spherical_geometry.polygon import SphericalPolygon

from mvmdb.sky.cone import touch_cone
from mvmdb.sky.region import format_region, normalize_polygon
from mvmdb.sky.sphere import sky_to_vector


def random_squares(rng: np.random.Generator, number: int, size: float) -> list[np.ndarray]:
    """Squares of `size` degrees anywhere on the sky, poles and RA 0 too."""
    squares = []
    for _ in range(number):
        centre = rng.normal(size=3)
        centre = {0: centre, 1: np.array([0.001, 0.001, 1.0]), 2: np.array([1.0, 0.0001, 0.5])}[int(rng.integers(3))]
        centre = centre / np.linalg.norm(centre)
        side = np.cross(centre, rng.normal(size=3))
        side /= np.linalg.norm(side)
        half = np.deg2rad(size) / 2
        corners = [
            centre + half * (a * side + b * np.cross(centre, side)) for a, b in ((1, 1), (-1, 1), (-1, -1), (1, -1))
        ]
        vector = np.array(corners).T
        lon, lat = np.arctan2(vector[1], vector[0]), np.arcsin(vector[2] / np.linalg.norm(vector, axis=0))
        squares.append(normalize_polygon(np.rad2deg(np.column_stack([lon, lat]))))
    return squares


def nearest(square: np.ndarray, point: np.ndarray) -> float:
    """Degrees from a direction to the nearest of many points along the edges."""
    corners = sky_to_vector(square[:, 0], square[:, 1])
    after = np.roll(corners, -1, axis=1)
    steps = np.linspace(0, 1, 2001)
    edges = (corners[:, :, None] * (1 - steps) + after[:, :, None] * steps).reshape(3, -1)
    edges /= np.linalg.norm(edges, axis=0)
    return float(np.rad2deg(np.arccos(np.clip(point @ edges, -1, 1)).min()))


@pytest.mark.parametrize("size", [0.04, 3.0])
def test_a_circle_touches_what_lies_around_it_or_comes_near(size: float) -> None:
    rng = np.random.default_rng(7)
    squares = random_squares(rng, 200, size)
    regions = [format_region([square]) for square in squares]
    for square in squares[:60]:
        towards = square.mean(axis=0) if abs(square[:, 1]).max() < 80 and np.ptp(square[:, 0]) < 90 else square[0]
        ra, dec = towards[0] + rng.normal() * size, float(np.clip(towards[1] + rng.normal() * size / 2, -90, 90))
        radius = float(rng.choice([0.0, 0.3, 1.0])) * size
        point = sky_to_vector(ra, dec)
        inside = [SphericalPolygon.from_lonlat(*one.T, degrees=True).contains_lonlat(ra, dec) for one in squares]
        distance = np.array([nearest(one, point) for one in squares])
        sure = np.abs(distance - radius) > size * 1e-3
        expected = np.array(inside) | (distance < radius)
        assert (touch_cone(regions, ra, dec, radius) == expected)[sure].all()


def test_what_is_behind_the_sphere_is_not_touched() -> None:
    region = "POLYGON ICRS 190 -0.1 190.1 -0.1 190.1 0.1 190 0.1"
    assert touch_cone([region], 10.05, 0.0, 30.0).tolist() == [False]
    assert touch_cone([region, region], 190.05, 0.0, 0.0).tolist() == [True, True]
    assert touch_cone([], 0.0, 0.0, 1.0).tolist() == []
