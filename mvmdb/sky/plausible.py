"""Whether footprints can be true: a detector sees no more than its field, and no less than a pixel of it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mvmdb.instruments import Detector
from mvmdb.sky.footprints import Footprints
from mvmdb.sky.sphere import FloatArray, sky_to_vector

ALLOWANCE = 5.0
"""How many times as wide as its detector's field a footprint may be: some are drawn as circles, or along a trail."""
_ARCSEC = float(np.rad2deg(1.0)) * 3600.0


def find_impossible(
    footprints: Footprints, area: FloatArray, detectors: Sequence[Detector | None]
) -> tuple[FloatArray, dict[int, str]]:
    """Vectors (3, n) to the mean of each exposure's vertices, and by exposure why its footprint cannot be true.

    `area`: steradians of each polygon. `detectors`: of each exposure; without one nothing is expected.
    """
    owner = np.repeat(footprints.owner, np.diff(footprints.polygon_start))
    vectors = sky_to_vector(footprints.ra, footprints.dec)
    centre: FloatArray = np.stack(
        [np.bincount(owner, weights=component, minlength=footprints.n) for component in vectors], dtype=np.float64
    )
    length = np.sqrt((centre**2).sum(axis=0))
    unit = centre / np.where(length > 0.0, length, 1.0)
    chord = np.zeros(footprints.n)  # squared: differences of near vectors keep the digits that a cosine would lose
    if len(owner):
        first = np.flatnonzero(np.diff(owner, prepend=-1))
        squares = ((vectors - np.take(unit, owner, axis=1)) ** 2).sum(axis=0)
        chord[owner[first]] = np.maximum.reduceat(squares, first)
    reach = 2.0 * np.arcsin(np.minimum(np.sqrt(chord) / 2.0, 1.0)) * _ARCSEC
    total = np.bincount(footprints.owner, weights=area, minlength=footprints.n) * _ARCSEC**2
    # By identity: the hash of a detector is that of all its facts, and takes longer than all the rest.
    limits = {key: _limits(detector) for key, detector in {id(each): each for each in detectors}.items()}
    widest, largest, smallest = np.array([limits[id(detector)] for detector in detectors]).reshape(-1, 3).T
    there = np.bincount(footprints.owner, minlength=footprints.n) > 0
    wrong = there & ((reach > widest) | (total > largest) | (total < smallest))
    return centre, {
        row: _explain(float(reach[row]), float(total[row]), detectors[row]) for row in np.flatnonzero(wrong).tolist()
    }


def _limits(detector: Detector | None) -> tuple[float, float, float]:
    """The greatest distance from the centre in arcsec, and the greatest and the least area in square arcsec."""
    if detector is None:
        return np.inf, np.inf, 0.0
    width, height = detector.field
    return ALLOWANCE * np.hypot(width, height) / 2.0, ALLOWANCE**2 * width * height, detector.pixels[0] ** 2


def _explain(reach: float, area: float, detector: Detector | None) -> str:
    if detector is None:
        return ""
    widest, largest, smallest = _limits(detector)
    field = f"the field of {detector.name.upper()} is {detector.field[0]:g} by {detector.field[1]:g}"
    if reach > widest:
        return (
            f"found a footprint that reaches {reach:.0f} arcsec from the mean of its vertices; "
            f"expected at most {widest:.0f}: {field}"
        )
    if area > largest:
        return f"found a footprint of {area:.0f} square arcsec; expected at most {largest:.0f}: {field} arcsec"
    return f"found a footprint of {area:.2g} square arcsec; expected a pixel or more, {smallest:.2g}"
