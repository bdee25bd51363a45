"""Which wavelengths each filter of Hubble's cameras passes: a table of facts, and the bands of joined elements.

The facts are in filters.csv. `pivot_nm`: WFC3 and ACS/SBC from the tables of filters in the instrument handbooks, ACS
and WFPC2's broad bands from the throughput of telescope, filter and detector, WFPC2's other filters from its handbook;
headers have the same PHOTPLAM within 0.04%. What `low_nm` and `high_nm` are is in the column `source`:

- throughput: where the throughput of telescope, filter and detector is half of its maximum;
- filter: where the filter alone transmits half of its maximum (the detector matters little in narrow bands);
- width: half of the handbook's width below and above the pivot wavelength;
- long-pass: from the filter's cut-on to where a box of constant throughput has this pivot wavelength.

No second source was found for the filters of WFPC2 that are marked `width`. A pivot wavelength may lie outside the band
if the filter leaks red light: F280N, FQ232N and FQ243N.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

_ADDED = ("pol", "clear")
"""How elements begin that change nothing of the band of the filter beside them."""
_BLOCKERS = ("f130lp", "f165lp")
"""Elements of WFPC2 that only keep ultraviolet light from the filter beside them."""


@dataclass(frozen=True, slots=True)
class Band:
    """The light that a filter passes: its pivot wavelength, and its edges at half of the maximum; in nm."""

    pivot_nm: float
    low_nm: float
    high_nm: float


@cache
def list_bands() -> Mapping[tuple[str, str, str], Band]:
    """The bands of single elements, by the names of instrument, detector and filter in names of layers."""
    with files("mvmdb").joinpath("filters.csv").open(encoding="ascii") as table:
        return {
            (row["instrument"], row["detector"], row["filter"]): Band(
                float(row["pivot_nm"]), float(row["low_nm"]), float(row["high_nm"])
            )
            for row in csv.DictReader(table)
        }


def band_of(instrument: str, detector: str, filter: str) -> Band | None:
    """The band of a filter, by the names that layers have, in any case; None where it is not known.

    Two elements are joined by `-` (or `;`). A polariser or a blocker of ultraviolet light leaves the band of the filter
    beside it as it is. Two filters pass what both pass; the pivot wavelength is then that of constant throughput. None
    for ramps, grisms, quadrants of WFPC2 (their wavelength depends on the place), pairs that share no light, and names
    that no filter has: nothing is guessed from the digits of a name.

    >>> band_of("wfc3", "ir", "F160W")
    Band(pivot_nm=1536.9, low_nm=1399.6, high_nm=1687.0)
    """
    instrument, detector = instrument.lower(), detector.lower()
    elements = list(dict.fromkeys(filter.lower().replace(";", "-").split("-")))
    filters = [name for name in elements if not name.startswith(_ADDED) and name not in _BLOCKERS]
    bands = [list_bands().get((instrument, detector, name)) for name in filters or elements[:1]]
    known = [band for band in bands if band is not None]
    if len(known) < len(bands):
        return None
    return known[0] if len(known) == 1 else _shared(known)


def _shared(bands: list[Band]) -> Band | None:
    """What all of these bands have in common; None if that is nothing."""
    low, high = max(band.low_nm for band in bands), min(band.high_nm for band in bands)
    if low >= high:
        return None
    pivot = math.sqrt((high**2 - low**2) / 2 / math.log(high / low))
    return Band(round(pivot, 1), low, high)
