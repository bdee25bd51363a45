"""How one FLT or FLC file becomes one exposure value, from its headers alone; `mvmdb.catalog` decides what is stored.

A contradiction within a file is an error, and the caller quarantines the file. What merely keeps an exposure out of
mosaics is a refusal, and the exposure is catalogued with it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import BinaryIO

from mvmdb.errors import ExposureError
from mvmdb.exposures.doubts import warn, warn_of_missing_flags
from mvmdb.exposures.eligibility import judge
from mvmdb.exposures.fits.cards import to_number
from mvmdb.exposures.fits.chipwcs import NoSolutionError, build_wcs, digest_wcs
from mvmdb.exposures.fits.counts import is_binned
from mvmdb.exposures.fits.digest import make_pixel_token
from mvmdb.exposures.fits.file import FitsFile, Hdu, open_or_blame, scan_open
from mvmdb.exposures.fits.layout import find_flags, read_chip_wcs, require_sci
from mvmdb.exposures.fits.photometry import read_photometry
from mvmdb.exposures.identity import identify, read_date, require_number
from mvmdb.exposures.plausible import find_far_from_target, find_implausible
from mvmdb.exposures.wcsname import rank_solution, split_wcsname
from mvmdb.instruments import LONGEST_EXPOSURE, Detector, find_detector
from mvmdb.names import format_layer_filter
from mvmdb.records import Dataset, Exposure
from mvmdb.remote.address import absolute
from mvmdb.remote.files import open_headers
from mvmdb.sky.footprint import chip_outline, footprint_center
from mvmdb.sky.region import format_region

MOST_BINNED = 4
LARGEST_FILE = 1 << 31
"""Bytes; an FLC of WFC3/UVIS with all of its headerlets has 200 MB."""


@dataclass(frozen=True, slots=True)
class _Pointing:
    """Where an exposure lies on the sky. Where no WCS can be evaluated, `problem` says why and the rest is empty."""

    ra: float | None = None
    dec: float | None = None
    s_region: str = ""
    wcs_digest: str | None = None
    problem: str = ""


def read_exposure(path: str | os.PathLike[str]) -> Dataset:
    """Read the headers of one FLT or FLC of ACS, WFC3 or WFPC2; no pixel is read.

    Raises ExposureError, whose `kind` is `unreadable`, `not-fits`, `truncated`, `no-sci`, `missing-keyword`,
    `unsupported` (another instrument) or `contradictory`. A WCS that is absent or cannot be evaluated is not an error:
    the exposure gets the refusal `no solution` and no footprint.
    """
    address = absolute(os.fspath(path))
    with open_or_blame(address, open_headers) as opened:
        return read_open(scan_open(opened, address), opened.stream)


def read_open(file: FitsFile, stream: BinaryIO) -> Dataset:
    """As `read_exposure`, of a file whose headers were read, from its open stream. Raises OSError too."""
    _check_size(file)
    chips = require_sci(file)
    _check_complete(file)
    _check_pair(file)
    find_flags(file, chips)  # else only the drizzle would notice that one is missing
    identity = identify(file)
    detector = find_detector(identity.instrument, identity.detector)
    pointing = _find_pointing(file, chips, detector, stream)
    wcsname = str(chips[0].header.get("WCSNAME") or "").strip() or None
    solution = split_wcsname(wcsname)
    headers = [chip.header for chip in chips]
    exposure = Exposure(
        ipppssoo=identity.ipppssoo,
        rootname=identity.rootname,
        kind=identity.kind,
        instrument=identity.instrument,
        detector=identity.detector,
        filters=identity.filters,
        filter=format_layer_filter(identity.filters),
        proposal_id=identity.proposal_id,
        program=identity.rootname[1:4].upper(),
        visit=identity.rootname[4:6].upper(),
        target=str(file.primary.get("TARGNAME") or "").strip(),
        exptime=_exposure_time(file),
        expstart=read_date(file, "EXPSTART"),
        expend=read_date(file, "EXPEND"),
        ra=pointing.ra,
        dec=pointing.dec,
        s_region=pointing.s_region,
        n_chips=len(chips),
        wcsname=wcsname,
        distortion=solution.distortion,
        fit=solution.fit,
        astrometric_catalog=solution.catalog,
        wcs_rank=rank_solution(wcsname),
        wcs_digest=pointing.wcs_digest,
        pixels=make_pixel_token(file, identity.kind),
        processed=read_date(file, "PROCTIME") or 0.0,
        refusals=judge(file.primary, headers, pointing.problem),
        warnings=(
            *warn(file.primary, headers, (pointing.ra, pointing.dec)),
            *warn_of_missing_flags(file.path, file.flags is not None),
        ),
        photometry=read_photometry(file.primary, headers),
    )
    return Dataset(file.path, file.size, file.mtime_ns, exposure)


def _check_size(file: FitsFile) -> None:
    if file.size > LARGEST_FILE:
        raise ExposureError(
            "contradictory",
            f"{file.path} has {file.size} bytes; expected {LARGEST_FILE} at most, ten times the largest FLC",
        )


def _check_complete(file: FitsFile) -> None:
    """Refuse a file cut between extensions, which is valid FITS: only NEXTEND shows it. A NEXTEND too low is common."""
    for part in [file] if file.flags is None else [file, file.flags]:
        stated, present = to_number(part.primary.get("NEXTEND")), part.n_extensions
        if stated is not None and present < stated:
            raise ExposureError(
                "truncated", f"{part.path} has {present} extensions; expected {stated} (NEXTEND); fetch the file again"
            )


def _check_pair(file: FitsFile) -> None:
    """Refuse the flags of another exposure: two files lie side by side that do not belong together."""
    if file.flags is None:
        return
    of_pixels, of_flags = (str(part.primary.get("ROOTNAME") or "").strip().lower() for part in (file, file.flags))
    if of_flags != of_pixels:
        raise ExposureError(
            "contradictory",
            f"{file.flags.path}: ROOTNAME is {of_flags!r}, that of the pixels beside it {of_pixels!r}; expected both "
            "files of one exposure; fetch both again",
        )


def _exposure_time(file: FitsFile) -> float:
    exptime = require_number(file, "EXPTIME")
    if not 0 <= exptime <= LONGEST_EXPOSURE:
        raise ExposureError(
            "contradictory", f"{file.path}: EXPTIME is {exptime}; expected seconds, 0 to {LONGEST_EXPOSURE:g}"
        )
    return exptime


def _find_pointing(file: FitsFile, chips: tuple[Hdu, ...], detector: Detector, stream: BinaryIO) -> _Pointing:
    try:
        values = tuple(read_chip_wcs(file, chip, stream) for chip in chips)
        outlines = [chip_outline(build_wcs(chip), chip.shape[1], chip.shape[0]) for chip in values]
    except NoSolutionError as error:
        return _Pointing(problem=str(error))
    except ExposureError as error:
        if error.code != "no-wcs":  # what `sky.footprint` raises for a WCS without a footprint
            raise
        return _Pointing(problem=str(error))
    binning = max(_binning(file, chip) for chip in chips)
    if problem := find_implausible(detector, values, outlines, binning):
        return _Pointing(problem=problem)
    ra, dec = footprint_center(outlines)
    if problem := find_far_from_target(file.primary, (ra, dec)):
        return _Pointing(problem=problem)
    return _Pointing(ra, dec, format_region(outlines), digest_wcs(values))


def _binning(file: FitsFile, chip: Hdu) -> int:
    """How many pixels of the detector one of a chip's is wide."""
    if is_binned(file.primary):
        return 2
    sides = (chip.header.get("BINAXIS1", 1), chip.header.get("BINAXIS2", 1))
    return max(side if isinstance(side, int) and 1 <= side <= MOST_BINNED else 1 for side in sides)
