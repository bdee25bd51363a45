"""Footprints per second of `find_members`, for squares of the size of ACS/WFC, over the whole sky and in clusters.

Run: python bench/membership.py [N], for N footprints (default 400,000), in one process.
"""

from __future__ import annotations

import resource
import sys
import time

import numpy as np
from numpy.typing import NDArray

from mvmdb.sky.membership import Footprints, find_members

SIDE = 202.0 / 3600.0
"""Side of the field of view in degrees."""
N_CLUSTERS = 300


def place_uniform(rng: np.random.Generator, n: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Positions (ra, dec) in degrees, uniform over the sky."""
    return rng.uniform(0.0, 360.0, n), np.rad2deg(np.arcsin(rng.uniform(-1.0, 1.0, n)))


def place_clustered(rng: np.random.Generator, n: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Positions around a few fields, 0.1 degrees wide, like those of observing programs."""
    ra, dec = place_uniform(rng, N_CLUSTERS)
    field = np.sort(rng.integers(0, N_CLUSTERS, n))
    dec = np.clip(dec[field] + rng.normal(0.0, 0.1, n), -89.9, 89.9)
    return ra[field] + rng.normal(0.0, 0.1, n) / np.cos(np.deg2rad(dec)), dec


def draw_squares(rng: np.random.Generator, ra: NDArray[np.float64], dec: NDArray[np.float64]) -> Footprints:
    """Squares of random roll around positions (degrees)."""
    angle = rng.uniform(0.0, 2.0 * np.pi, len(ra))[:, None] + np.arange(4) * (np.pi / 2.0)
    reach = np.deg2rad(SIDE) / np.sqrt(2.0)
    xi, eta = reach * np.sin(angle), reach * np.cos(angle)
    d = np.deg2rad(dec)[:, None]
    depth = np.cos(d) - eta * np.sin(d)
    vertex_ra = (ra[:, None] + np.rad2deg(np.arctan2(xi, depth))) % 360.0
    vertex_dec = np.rad2deg(np.arctan2(np.sin(d) + eta * np.cos(d), np.hypot(xi, depth)))
    n = len(ra)
    return Footprints(vertex_ra.ravel(), vertex_dec.ravel(), np.arange(n + 1) * 4, np.arange(n), n)


def main() -> None:
    """Print a table of both distributions and both rules."""
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 400_000
    rng = np.random.default_rng(20240101)
    start = time.perf_counter()
    find_members(draw_squares(rng, *place_uniform(rng, 1000)))
    print(f"first call, with the candidate table: {time.perf_counter() - start:.2f} s")
    print(f"{'footprints':>10}  {'sky':<9}  {'rule':<7}  {'memberships':>11}  {'seconds':>7}  {'footprints/s':>12}")
    for sky, draw_positions in (("uniform", place_uniform), ("clustered", place_clustered)):
        footprints = draw_squares(rng, *draw_positions(rng, n))
        for rule in ("overlap", "nearest"):
            start = time.perf_counter()
            members = find_members(footprints, rule)
            seconds = time.perf_counter() - start
            print(f"{n:>10}  {sky:<9}  {rule:<7}  {len(members.area):>11}  {seconds:>7.2f}  {n / seconds:>12,.0f}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024.0 if sys.platform != "darwin" else 1024.0**2)
    print(f"peak memory: {peak:.0f} MB")


if __name__ == "__main__":
    main()
