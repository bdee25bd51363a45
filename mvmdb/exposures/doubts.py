"""What is doubtful about an exposure but no reason to refuse it; `eligibility` says what is."""

from __future__ import annotations

import os
from collections.abc import Sequence

from mvmdb.exposures.eligibility import Header, holding, word
from mvmdb.exposures.fits.counts import find_counts, lacks_photflam
from mvmdb.exposures.fits.layout import is_scale, read_idcscale
from mvmdb.exposures.fits.photometry import read_photometry
from mvmdb.exposures.plausible import measure_from_target
from mvmdb.instruments import INSTRUMENTS
from mvmdb.photometry import parse_photometry
from mvmdb.remote.pairs import flags_beside

FAR_FROM_TARGET = 0.05
"""Degrees, nearly the width of the widest camera: POSTARGs and mosaics of a target stay within it."""


def warn(
    primary: Header, sci: Sequence[Header] = (), centre: tuple[float | None, float | None] = (None, None)
) -> tuple[str, ...]:
    """What does not exclude an exposure but may spoil a mosaic, each in words with what was found.

    Guiding on gyros or in coarse track; a WCS that looks wrong; a pixel size that had to be assumed; for WFPC2, a WCS
    without distortion, and chips that cannot be equalised; no PHOTFLAM above 0. `sci` are the headers of the chips,
    `centre` is the footprint's in degrees.
    """
    doubts = (
        _doubtful_guiding(primary),
        *_doubtful_solution(sci),
        _far_from_target(primary, centre),
        _no_idcscale(primary, sci),
        _no_distortion(primary, sci),
        _no_photflam(primary, sci),
    )
    return tuple(text for text in doubts if text)


def warn_of_missing_flags(path: str, has_flags: bool) -> tuple[str, ...]:
    """The warning of an exposure of two files of which that with the flags is not there; empty for any other."""
    beside = flags_beside(path)
    if beside is None or has_flags:
        return ()
    return (f"there is no {os.path.basename(beside)} beside it: all its pixels are taken as good",)


def _doubtful_guiding(primary: Header) -> str:
    lock = holding(primary, "FGSLOCK", ("GY", "COARSE"))
    return f"{lock}: the telescope may have drifted" if lock else ""


def _doubtful_solution(sci: Sequence[Header]) -> tuple[str, str]:
    names = [word(header, "WCSNAME") for header in sci]
    unlike = f"WCSNAME differs between chips: {', '.join(names)}" if len(set(names)) > 1 else ""
    bare = any("FIT" in name and not header.get("A_ORDER") for name, header in zip(names, sci, strict=True))
    return unlike, "the solution is a fit, but has no SIP distortion" if bare else ""


def _far_from_target(primary: Header, centre: tuple[float | None, float | None]) -> str:
    """Ramps, subarrays and POSTARGs move the target within the field, so this is no reason to refuse."""
    distance = measure_from_target(primary, centre)
    if distance is None or distance <= FAR_FROM_TARGET:
        return ""
    return f"the footprint is {distance:.3f} degrees from RA_TARG, DEC_TARG"


def _no_idcscale(primary: Header, sci: Sequence[Header]) -> str:
    if all(is_scale(header.get("IDCSCALE")) for header in sci):
        return ""
    scale = next((read_idcscale(primary, header) for header in sci), None)
    taken = f"{scale:.5g} arcsec, the detector's, is" if scale else "the size of its pixels at CRPIX is"
    return f"IDCSCALE is missing from SCI; {taken} taken"


def _no_distortion(primary: Header, sci: Sequence[Header]) -> str:
    """A first pointing's WCS is linear, and no name says so."""
    instrument = INSTRUMENTS.get(word(primary, "INSTRUME").lower())
    if instrument is None or not instrument.plain_solutions or all(header.get("A_ORDER") for header in sci):
        return ""
    return "the WCS has no distortion: positions are off by up to 0.5 arcsec; run updatewcs, or use the FLT"


def _no_photflam(primary: Header, sci: Sequence[Header]) -> str:
    if find_counts(primary) is not None:
        return "PHOTFLAM is missing from SCI; chips are not equalised" if lacks_photflam(sci) else ""
    photometry = parse_photometry(read_photometry(primary, sci)) if sci else None
    if photometry is None or photometry.photflam is not None:
        return ""
    return "PHOTFLAM is missing from SCI; its electrons are taken as those of its layers' other members"
