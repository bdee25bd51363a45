"""Whether a WCS that can be evaluated can also be true: what it says is compared with what the detector is.

A corrupted or wrongly edited header may give footprints degrees away or thousands of times too large, which would make
layers of hundreds of sky cells. Each check leaves room for any distortion, subarray and binning of the real cameras.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from mvmdb.exposures.fits.chipwcs import ChipWcs
from mvmdb.instruments import Detector
from mvmdb.sky.sphere import FloatArray, project, sky_to_vector, tangent_frame, vector_to_sky, widest_angle

_SCALE_ROOM = 1.5
"""How many times smaller or larger than the detector's a pixel may be, beyond its binning."""
_AREA_ROOM = 1.3
"""How many times smaller or larger than its pixels at CRPIX, together, a chip may be: ACS distorts areas by 7%."""
_EXTENT_ROOM = 1.25
_SQUARENESS = 1.5
"""How many times longer than wide a pixel may be: ACS/SBC's is 1.12 times."""


def find_implausible(
    detector: Detector, chips: Sequence[ChipWcs], outlines: Sequence[FloatArray], binning: int = 1
) -> str:
    """What cannot be true of an exposure's WCS, with the numbers; empty where nothing is wrong.

    `outlines` are the chips' (n, 2) polygons in degrees, in the order of `chips`. Sizes and handedness of pixels, areas
    of chips, their distance from one another and from the reference point are compared with the detector's.
    """
    for number, (chip, outline) in enumerate(zip(chips, outlines, strict=True), 1):
        problem = _judge_pixels(detector, chip, binning) or _judge_area(chip, outline)
        if problem:
            return f"chip {number}: {problem}"
    return _judge_extent(detector, chips, outlines)


def _judge_pixels(detector: Detector, chip: ChipWcs, binning: int) -> str:
    matrix = np.array(chip.cd) * 3600
    longest, shortest = np.linalg.svd(matrix, compute_uv=False)
    scale = math.sqrt(longest * shortest)
    low, high = detector.pixels[0] / _SCALE_ROOM, detector.pixels[1] * binning * _SCALE_ROOM
    if not low <= scale <= high:
        return f"its pixels are {scale:.4g} arcsec, those of {detector.name.upper()} are {detector.pixels[0]} or more"
    if longest > _SQUARENESS * shortest:
        return f"its pixels are {longest:.4g} x {shortest:.4g} arcsec; expected nearly square ones"
    if np.linalg.det(matrix) > 0:
        return "its image is mirrored (the determinant of CD is positive); Hubble's are not"
    return ""


def _judge_area(chip: ChipWcs, outline: FloatArray) -> str:
    rows, columns = chip.shape
    expected = rows * columns * abs(float(np.linalg.det(np.array(chip.cd)))) * 3600**2
    vector = sky_to_vector(outline[:, 0], outline[:, 1])
    x, y = project(tangent_frame(*vector_to_sky(vector.mean(axis=1))), vector)
    area = abs(float(x @ np.roll(y, -1) - y @ np.roll(x, -1))) / 2 * (math.degrees(1) * 3600) ** 2
    if expected / _AREA_ROOM <= area <= expected * _AREA_ROOM:
        return ""
    return f"its area is {area:.4g} arcsec^2, that of its {columns} x {rows} pixels {expected:.4g}"


def _judge_extent(detector: Detector, chips: Sequence[ChipWcs], outlines: Sequence[FloatArray]) -> str:
    vectors = sky_to_vector(*np.concatenate(outlines).T)
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
