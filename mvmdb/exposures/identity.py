"""Which exposure a file is, and whether name and primary header agree; its WCS and pixels are not looked at."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

from mvmdb.errors import ExposureError, NameFormatError
from mvmdb.exposures.fits.cards import to_number
from mvmdb.exposures.fits.file import FitsFile
from mvmdb.instruments import INSTRUMENTS, MISSION, Instrument, find_by_letter, is_association, list_instruments
from mvmdb.names import Kind, format_layer_filter, parse_exposure_name, parse_rootname

_LAYER_FILTER = re.compile(r"[a-z0-9-]+")


@dataclass(frozen=True, slots=True)
class Identity:
    """What names an exposure. Lower case, but for `filters`, which is as in a poller file: `CLEAR1L;F814W`."""

    rootname: str
    ipppssoo: str
    kind: Kind
    instrument: str
    detector: str
    filters: str
    proposal_id: int


def identify(file: FitsFile) -> Identity:
    """Who a file is. Raises ExposureError `missing-keyword`, `unsupported` or `contradictory`, naming the keyword."""
    rootname, ipppssoo = _read_rootname(file)
    name = _require_text(file, "INSTRUME").lower()
    instrument = INSTRUMENTS.get(name)
    if instrument is None:
        raise ExposureError("unsupported", f"{file.path}: INSTRUME is {name.upper()}; expected {list_instruments()}")
    meant = find_by_letter(rootname[0])
    if meant is not instrument:
        expected = (meant.name if meant is not None else "none of the instruments").upper()
        raise ExposureError(
            "contradictory", f"{file.path}: INSTRUME is {name.upper()}, but ROOTNAME {rootname} means {expected}"
        )
    return Identity(
        rootname=rootname,
        ipppssoo=ipppssoo,
        kind=_read_kind(file, ipppssoo),
        instrument=name,
        detector=_read_detector(file, instrument),
        filters=_read_filters(file, instrument),
        proposal_id=_read_proposal(file),
    )


def require_number(file: FitsFile, keyword: str) -> float:
    """A number of the primary header; raises ExposureError where it is missing or is none."""
    value = read_number(file, keyword)
    if value is None:
        raise _missing(file, keyword)
    return value


def read_number(file: FitsFile, keyword: str) -> float | None:
    """A number of the primary header, also where it is written as text; None where the keyword is absent.

    Raises ExposureError where the value is no number.
    """
    value = file.primary.get(keyword)
    if value is None or value == "":
        return None
    number = to_number(value)
    if number is None:
        raise ExposureError("contradictory", f"{file.path}: {keyword} is {value!r}; expected a number")
    return number


def read_date(file: FitsFile, keyword: str) -> float | None:
    """A date of the primary header in MJD; None where it is absent or 0, which stands for unknown and not for 1858.

    Raises ExposureError where the value is no number, or is no date of Hubble's mission.
    """
    date = read_number(file, keyword)
    if date is None or date == 0:
        return None
    if not MISSION[0] <= date <= MISSION[1]:
        raise ExposureError(
            "contradictory",
            f"{file.path}: {keyword} is {date}; expected an MJD, {MISSION[0]:.0f} (1990) to {MISSION[1]:.0f} (2100)",
        )
    return date


def _read_rootname(file: FitsFile) -> tuple[str, str]:
    try:
        rootname, ipppssoo = parse_rootname(_require_text(file, "ROOTNAME"))
    except NameFormatError as error:
        raise ExposureError("contradictory", f"{file.path}: {error}") from error
    if is_association(rootname):
        raise ExposureError(
            "unsupported",
            f"{file.path}: ROOTNAME {rootname} is a product of an association and stands for several exposures; "
            "expected an exposure like ib6o04tuq",
        )
    return rootname, ipppssoo


def _read_kind(file: FitsFile, ipppssoo: str) -> Kind:
    """From the file's name; where that tells nothing, from whether charge transfer was corrected."""
    name = os.path.basename(file.path)
    parsed = parse_exposure_name(name)
    if parsed is not None:
        if parsed[0] != ipppssoo:
            raise ExposureError(
                "contradictory", f"{file.path}: the name means exposure {parsed[0]}, but ROOTNAME {ipppssoo}; rename it"
            )
        return parsed[1]
    if name.lower().endswith("_flc.fits"):
        return "flc"
    if name.lower().endswith("_flt.fits"):
        return "flt"
    return "flc" if _text(file, "PCTECORR").upper() == "COMPLETE" else "flt"


def _read_detector(file: FitsFile, instrument: Instrument) -> str:
    if instrument.chips_are_detectors:
        return instrument.detectors[0].name
    detector = _require_text(file, "DETECTOR").lower()
    if instrument.find(detector) is None:
        expected = ", ".join(known.name.upper() for known in instrument.detectors)
        raise ExposureError("contradictory", f"{file.path}: DETECTOR is {detector.upper()}; expected one of {expected}")
    return detector


def _read_filters(file: FitsFile, instrument: Instrument) -> str:
    """The wheels, in capitals, joined with `;`. Blank wheels (WFPC2) are left out; N/A (ACS/SBC) is kept."""
    keywords = instrument.filter_keywords
    wheels = [_text(file, keyword).upper() for keyword in keywords]
    filters = ";".join(wheel for wheel in wheels if wheel)
    if not filters:
        raise _missing(file, keywords[0])
    if _LAYER_FILTER.fullmatch(format_layer_filter(filters)) is None:
        raise ExposureError(
            "contradictory", f"{file.path}: {' and '.join(keywords)}: found {filters!r}; expected letters, digits and -"
        )
    return filters


def _read_proposal(file: FitsFile) -> int:
    value = file.primary.get("PROPOSID")
    if value is None:
        raise _missing(file, "PROPOSID")
    number = to_number(value)  # some tools write 11359.0, others '11359'
    if number is None or not number.is_integer() or not 0 <= number < 2**31:
        raise ExposureError("contradictory", f"{file.path}: PROPOSID is {value!r}; expected a program's number")
    return int(number)


def _require_text(file: FitsFile, keyword: str) -> str:
    value = _text(file, keyword)
    if not value:
        raise _missing(file, keyword)
    return value


def _text(file: FitsFile, keyword: str) -> str:
    value = file.primary.get(keyword)
    if not isinstance(value, str | None):
        raise ExposureError("contradictory", f"{file.path}: {keyword} is {value!r}; expected a text")
    return "" if value is None else value.strip()


def _missing(file: FitsFile, keyword: str) -> ExposureError:
    return ExposureError("missing-keyword", f"{file.path}: {keyword} is missing from the primary header")
