"""What is doubtful about an exposure but no reason to refuse it; `eligibility` says what is."""

from __future__ import annotations

from collections.abc import Sequence

from mvmdb.exposures.eligibility import Header, holding, word
from mvmdb.exposures.fits.layout import is_scale, read_idcscale
from mvmdb.exposures.plausible import measure_from_target

FAR_FROM_TARGET = 0.05
"""Degrees, nearly the width of the widest camera: POSTARGs and mosaics of a target stay within it."""


def warn(
    primary: Header, sci: Sequence[Header] = (), centre: tuple[float | None, float | None] = (None, None)
) -> tuple[str, ...]:
    """What does not exclude an exposure but may spoil a mosaic, each in words with what was found.

    Guiding on gyros or in coarse track; a WCS that looks wrong; a pixel size that had to be assumed. `sci` are the
    headers of the chips, `centre` is the footprint's in degrees.
    """
    doubts = (
        _doubtful_guiding(primary),
        *_doubtful_solution(sci),
        _far_from_target(primary, centre),
        _no_idcscale(primary, sci),
    )
    return tuple(text for text in doubts if text)


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
