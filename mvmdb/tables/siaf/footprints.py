"""Which apertures of the SIAF a row's aperture name means: the one that was pointed, and those that were read out.

Names are those of the header keyword APERTURE and of the archive's search; a name of the SIAF itself is understood too.
Full-frame exposures of two-chip detectors read both chips, whichever aperture the target was put in.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from mvmdb.sky.sphere import FloatArray
from mvmdb.tables.siaf.apertures_file import Aperture, place_on_sky

_IR = {
    "IR": "IIR", "IR-FIX": "IIRFIX", "IR-UVIS": "IIRUVIS", "IR-UVIS-CENTER": "IIRUVISCTR", "IR-UVIS-FIX": "IIRUVISFIX",
    "G102-REF": "IIR102REF", "G141-REF": "IIR141REF",
    "IRSUB64": "IIRS64", "IRSUB128": "IIRS128", "IRSUB256": "IIRS256", "IRSUB512": "IIRS512",
    "IRSUB64-FIX": "IIRS64FIX", "IRSUB128-FIX": "IIRS128FIX", "IRSUB256-FIX": "IIRS256FIX",
    "IRSUB512-FIX": "IIRS512FIX",
    "GRISM1024": "IIR1024GRF", "GRISM512": "IIR512GRF", "GRISM256": "IIR256GRF", "GRISM128": "IIR128GRF",
    "GRISM64": "IIR64GRF",
}  # fmt: skip
# With a grism in the beam the same names mean other reference points (8.8 arcsec apart for IR).
_IR_GRISM = {
    ("IR", "G102"): "IIRGRSM102", ("IR", "G141"): "IIRGRSM141",
    ("GRISM1024", "G102"): "IIR1024G", ("GRISM1024", "G141"): "IIR1024G",
    ("GRISM512", "G102"): "IIR512G", ("GRISM512", "G141"): "IIR512G",
    ("GRISM256", "G102"): "IIR256G", ("GRISM256", "G141"): "IIR256G",
    ("GRISM128", "G102"): "IIR128G102", ("GRISM128", "G141"): "IIR128G141",
    ("GRISM64", "G102"): "IIR64G102", ("GRISM64", "G141"): "IIR64G141",
}  # fmt: skip
_UVIS_FULL = {
    "UVIS": "IUVIS", "UVIS-FIX": "IUVISFIX", "UVIS-CENTER": "IUVISCTR", "UVIS1": "IUVIS1", "UVIS1-FIX": "IUVIS1FIX",
    "UVIS2": "IUVIS2", "UVIS2-FIX": "IUVIS2FIX", "UVIS-IR-FIX": "IUVISIRFIX",
}  # fmt: skip
_UVIS_PART = {
    "UVIS1-2K4-SUB": "IUV1_2K4", "UVIS2-2K4-SUB": "IUV2_2K4", "UVIS1-M512-SUB": "IUV1M1_512",
    "UVIS2-M512-SUB": "IUV2M1_512", "UVIS2-M512C-SUB": "IUV2MC_512", "UVIS1-C512A-SUB": "IUV1CA_512",
    "UVIS1-C512B-SUB": "IUV1CB_512", "UVIS2-C512C-SUB": "IUV2CC_512", "UVIS2-C512D-SUB": "IUV2CD_512",
    "UVIS2-M1K1C-SUB": "IUV2MC_1K1", "UVIS2-C1K1C-SUB": "IUV2CC_1K1", "UVIS1-2K2A-SUB": "IUV1CA_2K2",
    "UVIS1-2K2B-SUB": "IUV1CB_2K2", "UVIS2-2K2C-SUB": "IUV2CC_2K2", "UVIS2-2K2D-SUB": "IUV2CD_2K2",
    "UVIS2-C512C-CTE": "IUV2C5HCTE", "UVIS2-C1K1C-CTE": "IUV2C1KCTE",
}  # fmt: skip
_WFC_FULL = {
    "WFC": "JWFC", "WFC-FIX": "JWFCFIX", "WFCENTER": "JWFCENTER", "WFC1": "JWFC1", "WFC1-FIX": "JWFC1FIX",
    "WFC2": "JWFC2", "WFC2-FIX": "JWFC2FIX", "WFC1-CTE": "JWFC1CTE",
}  # fmt: skip
_ACS_PART = {
    "WFC1-512": "JWFC1S512", "WFC1-1K": "JWFC1S1K", "WFC1-2K": "JWFC1S2K", "WFC2-2K": "JWFC2S2K",
    "WFC1A-2K": "JWFC1A2K", "WFC1B-2K": "JWFC1B2K", "WFC2C-2K": "JWFC2C2K", "WFC2D-2K": "JWFC2D2K",
    "WFC1A-1K": "JWFC1A1K", "WFC1B-1K": "JWFC1B1K", "WFC2C-1K": "JWFC2C1K", "WFC2D-1K": "JWFC2D1K",
    "WFC1A-512": "JWFC1A512", "WFC1B-512": "JWFC1B512", "WFC2C-512": "JWFC2C512", "WFC2D-512": "JWFC2D512",
    "HRC-512": "JHRCS512", "HRC-SUB1.8": "JHRCSUB18", "SBC": "JSBC", "SBC-FIX": "JSBCFIX",
}  # fmt: skip
_HRC_FULL = {
    "HRC": "JHRC", "HRC-FIX": "JHRCFIX", "HRC-CORON1.8": "JHRCCOR18", "HRC-CORON3.0": "JHRCCOR30",
    "HRC-OCCULT0.8": "JHRCOCC08",
}  # fmt: skip
_WFPC2 = {
    "WFALL": "UWFALL", "WFALL-FIX": "UWFALLFIX", "PC1": "UPC1", "PC1-FIX": "UPC1FIX", "WF2": "UWF2",
    "WF2-FIX": "UWF2FIX", "WF3": "UWF3", "WF3-FIX": "UWF3FIX", "WF4": "UWF4", "WF4-FIX": "UWF4FIX",
}  # fmt: skip
_CHIPS = {
    "uvis": ("IUVIS1FIX", "IUVIS2FIX"), "wfc": ("JWFC1FIX", "JWFC2FIX"), "hrc": ("JHRCFIX",),
    "pc": ("UPC1FIX", "UWF2FIX", "UWF3FIX", "UWF4FIX"),
}  # fmt: skip
_FULL = {"uvis": _UVIS_FULL, "wfc": _WFC_FULL, "hrc": _HRC_FULL, "pc": _WFPC2}
_PART = {"ir": _IR, "uvis": _UVIS_PART, "wfc": _ACS_PART, "hrc": _ACS_PART, "sbc": _ACS_PART}
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


def find_pointing(text: str, detector: str, filters: str, apertures: Mapping[str, Aperture]) -> Pointing:
    """What an aperture's name means; of several, separated by commas or semicolons, the first that is known counts.

    Raises ValueError, with what was found and expected, for a name that is not known.
    """
    for name in _SEPARATORS.split(text.strip().upper()):
        pointing = _look_up(name, detector, filters)
        if pointing is None and name in apertures:
            pointing = Pointing(name, (name,))
        if pointing is not None and {pointing.reference, *pointing.chips} <= apertures.keys():
            return pointing
    known = ", ".join([*_FULL.get(detector, {}), *_PART.get(detector, {})])
    raise ValueError(
        f"found aperture {text!r}; expected {known}, or a name of the aperture file; or give the row an s_region"
    )


def _look_up(name: str, detector: str, filters: str) -> Pointing | None:
    full = _FULL.get(detector, {}).get(name)
    if full is not None:
        return Pointing(full, _CHIPS[detector])
    part = _PART.get(detector, {}).get(name)
    if detector == "ir" and part is not None:
        part = next((_IR_GRISM[name, wheel] for wheel in filters.split(";") if (name, wheel) in _IR_GRISM), part)
    return None if part is None else Pointing(part, (part,))
