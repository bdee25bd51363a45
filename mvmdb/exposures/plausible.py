"""Whether a WCS that can be evaluated can also be true: what it says is compared with what the detector is.

A corrupted or wrongly edited header may give footprints degrees away or thousands of times too large, which would make
layers of hundreds of sky cells. Each check leaves room for any distortion, subarray and binning of the real cameras.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from mvmdb.exposures.eligibility import Header, is_moving
from mvmdb.exposures.fits.cards import to_number
from mvmdb.exposures.fits.chipwcs import ChipWcs
from mvmdb.instruments import Detector
from mvmdb.sky.sphere import FloatArray, sky_to_vector, widest_angle

_SCALE_ROOM = 1.5
"""How many times smaller or larger than the detector's a pixel may be, beyond its binning."""
_AREA_ROOM = 1.3
"""How many times smaller or larger than its pixels at CRPIX, together, a chip may be: ACS distorts areas by 7%."""
_EXTENT_ROOM = 1.25
_FEW_PIXELS = 20
_OFF_TARGET = 1.0
"""Degrees between a footprint and its target: the telescope's field of view, with all its instruments, is 0.5 wide."""
_SQUARENESS = 1.5
"""How many times longer than wide a pixel may be: ACS/SBC's is 1.12 times."""


def find_implausible(
    detector: Detector, chips: Sequence[ChipWcs], outlines: Sequence[FloatArray], binning: int = 1
) -> str:
    """What cannot be true of an exposure's WCS, with the numbers; empty where nothing is wrong.

    `outlines` are the chips' (n, 2) polygons in degrees, in the order of `chips`. Sizes and handedness of pixels, areas
    of chips, their distance from one another and from the reference point are compared with the detector's.
    """
    vectors = [sky_to_vector(outline[:, 0], outline[:, 1]) for outline in outlines]
    for number, (chip, edge) in enumerate(zip(chips, vectors, strict=True), 1):
        problem = _judge_pixels(detector, chip, binning) or _judge_area(chip, edge)
        if problem:
            return f"chip {number}: {problem}"
    return _judge_extent(detector, chips, np.concatenate(vectors, axis=1))


def find_far_from_target(primary: Header, centre: tuple[float, float]) -> str:
    """Why a footprint's centre (degrees) cannot be where it is: the target is elsewhere; empty where they fit.

    A moving target has no fixed place, and the place of a target may be unknown.
    """
    distance = measure_from_target(primary, centre)
    if distance is None or distance <= _OFF_TARGET or is_moving(primary):
        return ""
    return f"the footprint is {distance:.3f} degrees from RA_TARG, DEC_TARG; expected {_OFF_TARGET:g} at most"


def measure_from_target(primary: Header, centre: tuple[float | None, float | None]) -> float | None:
    """Degrees between a place and RA_TARG, DEC_TARG; None where one of them is unknown: absent, 0 both, or no place."""
    ra, dec = to_number(primary.get("RA_TARG")), to_number(primary.get("DEC_TARG"))
    if ra is None or dec is None or None in centre or not (0 <= ra <= 360 and abs(dec) <= 90) or (ra, dec) == (0, 0):
        return None
    places = sky_to_vector(np.array([ra, centre[0]], float), np.array([dec, centre[1]], float))
    return float(widest_angle(places, places))


def _judge_pixels(detector: Detector, chip: ChipWcs, binning: int) -> str:
    (a, b), (c, d) = chip.cd
    longest, shortest = (3600 * value for value in _singular_values(a, b, c, d))
    scale = math.sqrt(longest * shortest)
    low, high = detector.pixels[0] / _SCALE_ROOM, detector.pixels[1] * binning * _SCALE_ROOM
    if not low <= scale <= high:
        return f"its pixels are {scale:.4g} arcsec, those of {detector.name.upper()} are {detector.pixels[0]} or more"
    if longest > _SQUARENESS * shortest:
        return f"its pixels are {longest:.4g} x {shortest:.4g} arcsec; expected nearly square ones"
    if a * d - b * c > 0:
        return "its image is mirrored (the determinant of CD is positive); Hubble's are not"
    return ""


def _singular_values(a: float, b: float, c: float, d: float) -> tuple[float, float]:
    """The singular values of [[a, b], [c, d]], the larger first: half the sum and half the difference of two norms."""
    total, difference = math.hypot(a + d, c - b), math.hypot(a - d, b + c)
    return (total + difference) / 2, abs(total - difference) / 2


def _judge_area(chip: ChipWcs, vectors: FloatArray) -> str:
    rows, columns = chip.shape
    (a, b), (c, d) = chip.cd
    expected = rows * columns * abs(a * d - b * c) * 3600**2
    area = _flat_area(vectors) * (math.degrees(1) * 3600) ** 2
    if expected / _AREA_ROOM <= area <= expected * _AREA_ROOM:
        # A shear keeps areas.
        longest = (math.hypot(rows, columns) + _FEW_PIXELS) * 3600 * _singular_values(a, b, c, d)[0] * _AREA_ROOM
        widest = 3600 * widest_angle(vectors, vectors)
        return "" if widest <= longest else f"it is {widest:.4g} arcsec long; expected {longest:.4g} at most"
    return f"its area is {area:.4g} arcsec^2, that of its {columns} x {rows} pixels {expected:.4g}"


def _flat_area(vectors: FloatArray) -> float:
    """The area of the flat polygon between unit vectors (3, n), in steradians: half the sum of their cross products."""
    x, y, z = vectors - vectors[:, :1]  # differences of near vectors would lose digits
    next_x, next_y, next_z = (np.concatenate([values[1:], values[:1]]) for values in (x, y, z))
    return math.hypot(y @ next_z - z @ next_y, z @ next_x - x @ next_z, x @ next_y - y @ next_x) / 2


def _judge_extent(detector: Detector, chips: Sequence[ChipWcs], vectors: FloatArray) -> str:
    diagonal = math.hypot(*detector.field)
    limit = diagonal * _EXTENT_ROOM
    widest = 3600 * widest_angle(vectors, vectors)
    if widest > limit:
        return f"its chips reach over {widest:.4g} arcsec; those of {detector.name.upper()} over {diagonal:.4g}"
    # CRPIX of a subarray may lie beyond its pixels, but not beyond the detector's.
    farthest = 3600 * widest_angle(vectors, sky_to_vector(*np.array([chip.crval for chip in chips]).T))
    if farthest > 2 * limit:
        return f"its pixels lie up to {farthest:.4g} arcsec from CRVAL; expected {2 * limit:g} at most"
    return ""
