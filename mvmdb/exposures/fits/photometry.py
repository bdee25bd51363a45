"""The photometry of an exposure from its headers; mvmdb/photometry.py says what it is for."""

from __future__ import annotations

from collections.abc import Sequence

from mvmdb.exposures.fits.cards import to_number
from mvmdb.exposures.fits.counts import Header, find_gain, find_sensitivity
from mvmdb.photometry import KEYWORDS, PHOTFLAM, Photometry, Value, format_photometry, parse_photometry


def read_photometry(primary: Header, sci: Sequence[Header]) -> str:
    """The photometry of the chips with these SCI headers as text; PRIMARY counts where a chip has no such keyword.

    PHOTFLAM becomes that per electron where the file is in counts.
    """
    chips = [{keyword: _value(keyword, primary, header) for keyword in KEYWORDS} for header in sci]
    for chip, header in zip(chips, sci, strict=True):
        photflam = chip[PHOTFLAM]
        if isinstance(photflam, float):
            chip[PHOTFLAM] = photflam / find_gain(primary, header)
    return format_photometry(chips, find_sensitivity(primary, sci).place)


def find_scales(primary: Header, sci: Sequence[Header], photflam: float | None) -> tuple[float, ...]:
    """The factor of each chip's electrons that brings them to a PHOTFLAM: `Photometry.scales`."""
    photometry: Photometry | None = parse_photometry(read_photometry(primary, sci))
    assert photometry is not None  # it was just made
    return photometry.scales(photflam)


def _value(keyword: str, primary: Header, chip: Header) -> Value:
    """The value of a keyword, a finite number or for PHOTMODE a text; None where neither header has one."""
    for header in (chip, primary):
        value = header.get(keyword)
        if keyword != "PHOTMODE":
            number = to_number(value)
            if number is not None:
                return number
        elif value is not None and str(value).strip():
            return " ".join(str(value).split())
    return None
