"""Which apertures of the SIAF a row's aperture name means: the one that was pointed, and those that were read out.

What names mean is in `instruments.ApertureNames`; a name of the SIAF itself is understood too.
Full-frame exposures of two-chip detectors read both chips, whichever aperture the target was put in.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from mvmdb.instruments import ApertureNames, Detector
from mvmdb.sky.sphere import FloatArray
from mvmdb.tables.siaf.apertures_file import Aperture, place_on_sky

_SEPARATORS = re.compile(r"[;,\s]+")


@dataclass(frozen=True, slots=True)
class Pointing:
    """Names in the SIAF: the aperture whose reference point the pointing names, and one aperture for each chip."""

    reference: str
    chips: tuple[str, ...]

    def footprints(
        self, apertures: Mapping[str, Aperture], ra: FloatArray, dec: FloatArray, pa_v3: FloatArray
    ) -> FloatArray:
        """Corners (n, chips, 4, 2) in degrees of n pointings in degrees; straight lines join them.

        Corners are those of the exposure's own WCS to 0.1 arcsec for WFC3/IR, and its bent edges leave the lines by up
        to 0.25; for ACS and WFC3/UVIS 0.1 to 0.3, but 2.6 where an aperture was moved since (ACS WFC, 2006).
        """
        corners = np.stack([apertures[chip].corners for chip in self.chips])
        return place_on_sky(apertures[self.reference].reference, corners, ra, dec, pa_v3)


def find_pointing(text: str, detector: Detector, filters: str, apertures: Mapping[str, Aperture]) -> Pointing:
    """What an aperture's name means; of several, separated by commas or semicolons, the first that is known counts.

    Raises ValueError, with what was found and expected, for a name that is not known.
    """
    for name in _SEPARATORS.split(text.strip().upper()):
        pointing = _look_up(name, detector.apertures, filters)
        if pointing is None and name in apertures:
            pointing = Pointing(name, (name,))
        if pointing is not None and {pointing.reference, *pointing.chips} <= apertures.keys():
            return pointing
    known = ", ".join([*detector.apertures.full, *detector.apertures.subarrays])
    raise ValueError(
        f"found aperture {text!r}; expected {known}, or a name of the aperture file; or give the row an s_region"
    )


def _look_up(name: str, names: ApertureNames, filters: str) -> Pointing | None:
    full = names.full.get(name)
    if full is not None:
        return Pointing(full, names.chips)
    aperture = names.subarrays.get(name)
    if aperture is None:
        return None
    moved = names.with_filter
    aperture = next((moved[name, wheel] for wheel in filters.split(";") if (name, wheel) in moved), aperture)
    return Pointing(aperture, (aperture,))
