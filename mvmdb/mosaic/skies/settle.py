"""Which skies exposures keep when a new solution comes.

A solution is solved from all pairs of a component, with the lowest sky at 0, so it does not depend on the order in
which exposures came. What mosaics subtract follows it with hysteresis: a sky stays as it is while the solution is
within its limit, so that every pixel is within LIMIT of its noise of a rebuild, and few mosaics are made anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from mvmdb.components import group_connected

LIMIT = 0.015
"""How far a mosaic's pixel may be from the solution, in its noise."""
DRIZZLED_NOISE = 0.6
"""The least noise of a mosaic's pixel over that of an exposure's, both as brightness, for one exposure.

Fruchter & Hook 2002, PASP 114, 144, section 7: it is 1 / (s R), where s is the output pixel over the detector's pixel
and R, with r = pixfrac / s, is r / (1 - 1 / (3 r)) for r of at least 1, else 1 / (1 - r / 3). With pixfrac 1 that is
0.66 (WFC3/UVIS, fine) to 0.90 (WFC3/IR, fine); a smaller pixfrac leaves more."""
LEAST = 1e-6
"""The least limit, electrons/s/arcsec^2: exposures without noise would move by the rounding of numbers."""

Float = NDArray[np.float64]


def sky_limit(noise: Float, overlapping: NDArray[np.int64]) -> Float:
    """(n,) by how much each sky may differ from the solution, electrons/s/arcsec^2.

    `noise`: (n,) of a pixel of each exposure; `overlapping`: (n,) how many others overlap it. Where N exposures of
    noise n_i are averaged with weights w_i, the noise of the mean is the square root of the sum of (w_i n_i)^2, which
    is at least the sum of w_i n_i over the square root of N. So skies that are each off by at most a fraction of
    n_i / sqrt(N) leave a mean that is off by at most this fraction of its noise, whatever the weights.
    """
    limits: Float = LIMIT * DRIZZLED_NOISE * noise / np.sqrt(1.0 + overlapping)
    return np.maximum(limits, LEAST)


def settle_skies(
    solved: Mapping[str, float],
    kept: Mapping[str, float],
    limits: Mapping[str, float],
    pairs: Iterable[tuple[str, str]],
) -> dict[str, float]:
    """The sky of every exposure of `solved`, by ipppssoo: as solved, as kept, or as kept and shifted with its group.

    The exposures with a kept sky that `pairs` connect are a group, whose skies were solved together. Nothing in a group
    moves while each is within its limit of the solution. Else it is shifted by its median, if that has moved by more
    than the least of its limits; whatever is still off by more than its limit gets the solved sky, and the others keep
    theirs. So each ends within its limit, and the same solution moves nothing a second time.
    """
    skies = dict(solved)
    for group in group_connected([name for name in solved if name in kept], pairs):
        moved = np.array([solved[name] - kept[name] for name in group])
        limit = np.array([limits[name] for name in group])
        shift = float(np.median(moved))
        if np.all(np.abs(moved) <= limit) or abs(shift) <= limit.min():
            shift = 0.0
        stays = np.abs(moved - shift) <= limit
        skies.update({name: kept[name] + shift for name, stay in zip(group, stays.tolist(), strict=True) if stay})
    return skies


def keep_levels(
    solved: Mapping[str, float], kept: Mapping[str, float], pairs: Iterable[tuple[str, str]]
) -> dict[str, float]:
    """The solved skies of every group that pairs connect and that has a kept sky, with the level of the kept ones.

    For a component of which an exposure is lacking for a while: what it connects has no level of its own, so the skies
    of groups without a kept one are left out.
    """
    skies = {}
    for group in group_connected(solved, pairs):
        levels = [kept[name] - solved[name] for name in group if name in kept]
        if levels:
            level = float(np.median(levels))
            skies.update({name: solved[name] + level for name in group})
    return skies
