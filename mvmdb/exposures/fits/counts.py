"""How the counts (DN) of WFPC2's files become electrons, chip by chip, and which errors they have.

`pixels` applies it.

A chip's counts are multiplied by the gain of the reference chip and by the ratio of both sensitivities, so that a
source has the same flux on all chips: `gain of the reference * PHOTFLAM of the chip / PHOTFLAM of the reference`, where
PHOTFLAM is per DN. Files whose chips were equalised already, as the pipeline's FLTs were by photeq, have one
PHOTFLAM on all chips, and come out the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mvmdb.errors import ExposureError
from mvmdb.exposures.fits.cards import Value, to_number
from mvmdb.exposures.fits.units import is_rate_unit
from mvmdb.instruments import INSTRUMENTS, Counts, Instrument

Header = Mapping[str, Value]
Plane = np.ndarray[Any, np.dtype[np.float32]]

PHOTFLAM = "PHOTFLAM"


@dataclass(frozen=True, slots=True)
class Conversion:
    """How one chip's stored values become electrons, or electrons/s if they are per second (`rate`).

    `factor`: electrons of the reference chip per stored unit. `gain`: electrons per DN of the chip itself, 1 where the
    file is in electrons. `noise`: the variance in electrons of a pixel without light (None: the file has errors of its
    own). `bunit`: the unit of the stored values in capitals.
    """

    factor: float
    gain: float
    noise: float | None
    bunit: str
    rate: bool
    exptime: float

    @property
    def converted(self) -> str:
        """The unit of the values after the conversion."""
        return "ELECTRONS/S" if self.rate else "ELECTRONS"

    def errors(self, stored: Plane) -> Plane | None:
        """One standard deviation of each pixel, in converted units: Poisson noise of the electrons, reading and dark.

        None where the file's own errors count.
        """
        if self.noise is None:
            return None
        seconds = self.exptime if self.rate else 1.0
        electrons = np.maximum(stored, 0.0) * np.float32(self.gain * seconds)
        scale = self.factor / (self.gain * seconds)
        result: Plane = np.sqrt(electrons + np.float32(self.noise)) * np.float32(scale)
        return result


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """The chip whose sensitivity an exposure's electrons have: its place among the SCI headers, and its PHOTFLAM.

    `photflam` is per electron, in erg/s/cm2/Angstrom; None where a chip has none, so that none was scaled.
    """

    place: int
    photflam: float | None


def find_counts(primary: Header) -> Counts | None:
    """How this exposure's counts become electrons; None for instruments whose files are in electrons."""
    instrument = _instrument(primary)
    return None if instrument is None else instrument.counts


def find_conversions(
    primary: Header, sci: Sequence[Header], exptime: float, path: str = "", photflam: float | None = None
) -> tuple[Conversion, ...] | None:
    """The conversion of each chip, in the order of their headers; None where files are in electrons already.

    With `photflam`, chips are scaled to this PHOTFLAM per electron in place of the reference chip's. Raises
    ExposureError `no-gain` where a chip's unit, number or gain is none that is known.
    """
    counts = find_counts(primary)
    if counts is None:
        return None
    units = [_read_unit(header, path) for header in sci]
    gains = [_read_gain(counts, primary, header, unit, path) for header, unit in zip(sci, units, strict=True)]
    reference = find_sensitivity(primary, sci)
    dark = counts.dark * (to_number(primary.get("DARKTIME")) or exptime) * (4 if is_binned(primary) else 1)
    conversions = []
    for header, unit, (gain, read_noise) in zip(sci, units, gains, strict=True):
        factor = gain
        if reference.photflam is not None:
            factor = float(to_number(header.get(PHOTFLAM)) or 0.0) / (photflam or reference.photflam)
        is_counts = is_rate_unit(unit) is None
        rate = unit.endswith("/S") if is_counts else is_rate_unit(unit) is True
        noise = dark + read_noise**2 if is_counts else None
        conversions.append(Conversion(factor, gain, noise, unit, rate, exptime))
    return tuple(conversions)


def find_sensitivity(primary: Header, sci: Sequence[Header]) -> Sensitivity:
    """The reference chip of an exposure: that of the instrument, or the first chip where that one was not read out."""
    counts = find_counts(primary)
    chips = [to_number(header.get("DETECTOR")) for header in sci]
    place = chips.index(counts.reference) if counts is not None and counts.reference in chips else 0
    if counts is None or lacks_photflam(sci):
        return Sensitivity(place, None)
    per_unit = float(to_number(sci[place].get(PHOTFLAM)) or 0.0)
    return Sensitivity(place, per_unit / find_gain(primary, sci[place]))


def find_gain(primary: Header, chip: Header) -> float:
    """Electrons per stored unit of a chip; 1 where the file is in electrons, or its gain is none that is known."""
    counts = find_counts(primary)
    if counts is None or is_rate_unit(_unit(chip)) is not None:
        return 1.0
    number, setting = to_number(chip.get("DETECTOR")), to_number(primary.get(counts.gain_keyword))
    gain, _ = counts.amplifiers.get((int(number or 0), int(setting or 0)), (1.0, 0.0))
    return gain


def lacks_photflam(sci: Sequence[Header]) -> bool:
    """Whether a chip has no sensitivity (PHOTFLAM above 0), so that the chips of an exposure cannot be equalised."""
    return not all((to_number(header.get(PHOTFLAM)) or 0.0) > 0 for header in sci)


def is_binned(primary: Header) -> bool:
    """Whether a pixel is 2 x 2 of the detector's, by the instrument's own keyword (WFPC2: MODE is AREA)."""
    instrument = _instrument(primary)
    if instrument is None or instrument.binned is None:
        return False
    keyword, value = instrument.binned
    return str(primary.get(keyword) or "").strip().upper() == value


def _instrument(primary: Header) -> Instrument | None:
    return INSTRUMENTS.get(str(primary.get("INSTRUME") or "").strip().lower())


def _unit(header: Header) -> str:
    """BUNIT in capitals; files without any, as those of before 2009, are in counts."""
    return str(header.get("BUNIT") or "COUNTS").strip().upper() or "COUNTS"


def _read_unit(header: Header, path: str) -> str:
    unit = _unit(header)
    if is_rate_unit(unit) is None and unit not in ("COUNTS", "COUNTS/S", "DN", "DN/S", "COUNT", "COUNT/S"):
        raise ExposureError(
            "no-gain", f"{path}: BUNIT is {unit!r}; expected COUNTS, DN or ELECTRONS; calibrate the exposure again"
        )
    return unit


def _read_gain(counts: Counts, primary: Header, header: Header, unit: str, path: str) -> tuple[float, float]:
    """Electrons per stored unit, and the read noise in electrons."""
    if is_rate_unit(unit) is not None:
        return 1.0, 0.0
    chip, setting = to_number(header.get("DETECTOR")), to_number(primary.get(counts.gain_keyword))
    found = counts.amplifiers.get((int(chip), int(setting))) if chip is not None and setting is not None else None
    if found is None or setting not in counts.settings or chip not in counts.chips:
        raise ExposureError(
            "no-gain",
            f"{path}: DETECTOR is {header.get('DETECTOR')!r} and {counts.gain_keyword} "
            f"{primary.get(counts.gain_keyword)!r}; expected a chip, {', '.join(map(str, counts.chips))}, and a gain, "
            f"{' or '.join(map(str, counts.settings))}: counts cannot be converted to electrons; fetch the file again",
        )
    return found
