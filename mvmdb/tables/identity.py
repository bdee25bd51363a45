"""Which exposure a row is: names, instrument, detector, filters and kind; its place on the sky is not looked at.

Each function returns what it read, or raises ValueError with what was found and what was expected; the text becomes the
row's reason.
"""

from __future__ import annotations

import re
from functools import lru_cache

from mvmdb.names import Kind, format_layer_filter, parse_exposure_name

INSTRUMENTS = {"wfc3": "i", "acs": "j", "wfpc2": "u"}
"""Instruments, and the first letter of their exposures' names."""
_DETECTORS = {"wfc3": ("uvis", "ir"), "acs": ("wfc", "hrc", "sbc"), "wfpc2": ("pc",)}
_APERTURES = (
    ("wfc3", "ir", ("ir", "grism", "g102", "g141")), ("wfc3", "uvis", ("uvis", "g280")),
    ("acs", "wfc", ("wfc",)), ("acs", "hrc", ("hrc",)), ("acs", "sbc", ("sbc",)),
)  # fmt: skip
_CORRECTED = {("acs", "wfc"), ("wfc3", "uvis")}  # charge transfer is corrected, so the archive has FLCs

_PATH = re.compile(r"[/?#:]")
_PIPELINE = re.compile(r"([a-z0-9]{8}[a-z0-9]?)(?:_.*)?")
_HAP = re.compile(r"hst_.+_([a-z0-9]{8})(?:_(?:fl[tc]|dr[zc]|trl).*)?")
_WHEELS = re.compile(r"[;,+\s]+")
_LAYER_FILTER = re.compile(r"[a-z0-9-]+")
_ASSOCIATION = "0123456789"


def read_name(text: str) -> tuple[str, str]:
    """(ipppssoo, rootname) of a dataset's name; rootname has 9 characters, or 8 where the table gives no more.

    Understood are `ib6o04tuq`, `IB6O04TU`, `ib6o04tuq_flt.fits`, `hst_11359_04_wfc3_ir_f125w_ib6o04tu`, and IVOA or
    MAST identifiers that end in one of these.
    """
    name = (text if text.isalnum() else _PATH.split(text)[-1]).lower()
    match = _HAP.fullmatch(name) if name.startswith("hst_") else _PIPELINE.fullmatch(name)
    if match is None or match[1][0] not in "iju":
        raise ValueError(
            f"found the name {text!r}; expected that of an ACS, WFC3 or WFPC2 exposure, like ib6o04tuq or "
            "hst_11359_04_wfc3_ir_f125w_ib6o04tu"
            if text
            else "found no name; expected one like ib6o04tuq"
        )
    return match[1][:8], match[1]


def is_association(rootname: str) -> bool:
    """Whether a name of 9 characters is that of a combined product: it ends in a digit (ACS, WFC3)."""
    return len(rootname) == 9 and rootname[0] in "ij" and rootname[8] in _ASSOCIATION


@lru_cache(maxsize=4096)
def read_instrument(instrument: str, detector: str, aperture: str) -> tuple[str, str]:
    """(instrument, detector) in lower case, from `WFC3/IR`, or from `WFC3` with a detector or an aperture."""
    words = [word for word in re.split(r"[^a-z0-9]+", f"{instrument} {detector}".lower()) if word]
    found = [word for word in words if word in INSTRUMENTS]
    if len(set(found)) != 1:
        raise ValueError(f"found instrument {instrument!r}; expected ACS, WFC3 or WFPC2")
    name = found[0]
    if name == "wfpc2":  # its four chips are one detector
        return name, "pc"
    seen = {word for word in words if word in _DETECTORS[name]}
    if not seen:
        pointed = aperture.lower()
        seen = {chip for camera, chip, starts in _APERTURES if camera == name and pointed.startswith(starts)}
    if len(seen) != 1:
        raise ValueError(
            f"found instrument {instrument!r}, detector {detector!r} and aperture {aperture!r}; expected one of "
            f"{', '.join(f'{name}/{chip}'.upper() for chip in _DETECTORS[name])}"
        )
    return name, seen.pop()


@lru_cache(maxsize=65536)
def read_filters(text: str) -> tuple[str, str]:
    """(filters, layer filter): wheels in capitals joined with `;`, and the name of the layer's filter."""
    wheels = [wheel for wheel in _WHEELS.split(text.upper()) if wheel]
    filters = ";".join(wheels)
    layer = format_layer_filter(filters)
    if not wheels or _LAYER_FILTER.fullmatch(layer) is None:
        raise ValueError(f"found filters {text!r}; expected names like F814W or CLEAR1L;F814W")
    return filters, layer


def read_kind(stated: str, filename: str, instrument: str, detector: str) -> Kind:
    """`flc` or `flt`, as the table or the file's name says; else `flc` for ACS/WFC and WFC3/UVIS, `flt` for others."""
    if stated:
        kind = stated.lower()
        if kind not in ("flt", "flc"):
            raise ValueError(f"found kind {stated!r}; expected flt or flc")
        return "flc" if kind == "flc" else "flt"
    parsed = parse_exposure_name(filename) if "_" in filename else None
    if parsed is not None:
        return parsed[1]
    return "flc" if (instrument, detector) in _CORRECTED else "flt"
