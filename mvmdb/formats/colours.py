"""One colour for each filter, in the order of wavelengths: violet for the shortest, red for the longest."""

from __future__ import annotations

import colorsys
import math

from mvmdb.filters import band_of

_SHORTEST, _LONGEST = 250.0, 1700.0  # nm
_VIOLET = 0.78  # hue; red is 0
_UNKNOWN = (160, 160, 160)


def colour_of(instrument: str, detector: str, filter: str) -> tuple[int, int, int]:
    """(red, green, blue), 0 to 255, of a filter by the logarithm of its pivot wavelength; grey where it is unknown."""
    band = band_of(instrument, detector, filter)
    if band is None:
        return _UNKNOWN
    place = math.log(band.pivot_nm / _SHORTEST) / math.log(_LONGEST / _SHORTEST)
    red, green, blue = colorsys.hsv_to_rgb(_VIOLET * (1 - min(max(place, 0.0), 1.0)), 0.9, 1.0)
    return round(255 * red), round(255 * green), round(255 * blue)
