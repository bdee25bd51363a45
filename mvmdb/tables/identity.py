"""Which exposure a row is: names, instrument, detector, filters and kind; its place on the sky is not looked at.

Each function returns what it read, or raises ValueError with what was found and what was expected; the text becomes the
row's reason.
"""

from __future__ import annotations

import re
from functools import lru_cache

from mvmdb.instruments import INSTRUMENTS, find_by_letter, find_detector, is_association, list_instruments
from mvmdb.names import Kind, format_layer_filter, parse_exposure_name

_PATH = re.compile(r"[/?#:]")
_PIPELINE = re.compile(r"([a-z0-9]{8}[a-z0-9]?)(?:_.*)?")
_HAP = re.compile(r"hst_.+_([a-z0-9]{8})(?:_(?:fl[tc]|dr[zc]|trl).*)?")
_WHEELS = re.compile(r"[;,+\s]+")
_LAYER_FILTER = re.compile(r"[a-z0-9-]{1,64}")  # a part of file names


def read_name(text: str) -> tuple[str, str]:
    """(ipppssoo, rootname) of a dataset's name; rootname has 9 characters, or 8 where the table gives no more.

    Understood are `ib6o04tuq`, `IB6O04TU`, `ib6o04tuq_flt.fits`, `hst_11359_04_wfc3_ir_f125w_ib6o04tu`, and IVOA or
    MAST identifiers that end in one of these.
    """
    name = (text if text.isalnum() else _PATH.split(text)[-1]).lower()
    match = _HAP.fullmatch(name) if name.startswith("hst_") else _PIPELINE.fullmatch(name)
    if match is None or find_by_letter(match[1][0]) is None:
        raise ValueError(
            f"found the name {text!r}; expected that of an {list_instruments()} exposure, like ib6o04tuq or "
            "hst_11359_04_wfc3_ir_f125w_ib6o04tu"
            if text
            else "found no name; expected one like ib6o04tuq"
        )
    if is_association(match[1]):
        raise ValueError(
            f"found the name {text!r}, which is a product of an association and stands for several exposures; "
            "expected an exposure like ib6o04tuq"
        )
    return match[1][:8], match[1]


@lru_cache(maxsize=4096)
def read_instrument(instrument: str, detector: str, aperture: str) -> tuple[str, str]:
    """(instrument, detector) in lower case, from `WFC3/IR`, or from `WFC3` with a detector or an aperture."""
    words = [word for word in re.split(r"[^a-z0-9]+", f"{instrument} {detector}".lower()) if word]
    named = {word for word in words if word in INSTRUMENTS}
    if len(named) != 1:
        raise ValueError(f"found instrument {instrument!r}; expected {list_instruments()}")
    camera = INSTRUMENTS[named.pop()]
    if camera.chips_are_detectors:
        return camera.name, camera.detectors[0].name
    seen = {chip.name for chip in camera.detectors if chip.name in words}
    if not seen:
        pointed = aperture.lower()
        seen = {chip.name for chip in camera.detectors if pointed.startswith(chip.apertures.starts)}
    if len(seen) != 1:
        raise ValueError(
            f"found instrument {instrument!r}, detector {detector!r} and aperture {aperture!r}; expected one of "
            f"{', '.join(f'{camera.name}/{chip.name}'.upper() for chip in camera.detectors)}"
        )
    return camera.name, seen.pop()


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
    """`flc` or `flt`, as the table or the file's name says; else `flc` where charge transfer is corrected."""
    if stated:
        kind = stated.lower()
        if kind not in ("flt", "flc"):
            raise ValueError(f"found kind {stated!r}; expected flt or flc")
        return "flc" if kind == "flc" else "flt"
    parsed = parse_exposure_name(filename) if "_" in filename else None
    if parsed is not None:
        return parsed[1]
    return "flc" if find_detector(instrument, detector).cte_corrected else "flt"
