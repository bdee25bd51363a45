"""Whether a member's file is still the one registered, and what a product records of it. drizzle/ uses the pixels."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from astropy.io import fits
from astropy.io.fits.verify import VerifyError
from numpy.typing import NDArray

from mvmdb.correction import digest_realigned, parse_alternate
from mvmdb.errors import ExposureError, ProductError
from mvmdb.exposures.fits.cards import Cards, Value, to_number
from mvmdb.exposures.fits.counts import find_sensitivity
from mvmdb.exposures.fits.digest import digest_open
from mvmdb.exposures.fits.file import scan_open
from mvmdb.exposures.read import read_open
from mvmdb.instruments import list_filter_keywords
from mvmdb.mosaic.drizzle.chips import blame_member, unusable_member
from mvmdb.mosaic.drizzle.members import DrizzledChip
from mvmdb.mosaic.product.provenance import UNKNOWN, ChipRow, Observation
from mvmdb.mosaic.seen import SeenFiles
from mvmdb.names import format_header_filter
from mvmdb.photometry import PHOTFLAM, differs, name_changes, parse_photometry
from mvmdb.recipe import Weight
from mvmdb.records import Dataset, Exposure, MemberInput
from mvmdb.remote.address import absolute
from mvmdb.remote.files import open_pixels, stamps_of
from mvmdb.remote.state import is_unchanged
from mvmdb.sky.region import format_region, parse_region

_PRIMARY_CARDS = ("TELESCOP", "INSTRUME", "DETECTOR")
_NUMBERS = ("PHOTFLAM", "PHOTFNU", "PHOTZPT", "PHOTPLAM", "PHOTBW")
_PHOTOMETRY = ("PHOTMODE", *_NUMBERS)


@dataclass(frozen=True, slots=True)
class InspectedMember:
    """A member whose file is as registered.

    `outlines` has one (n, 2) sky polygon in degrees per chip, `observations` what headers say of it, by EXTVER.
    """

    member: MemberInput
    dataset: Dataset
    pixel_digest: str
    wcs_digest: str
    outlines: tuple[NDArray[np.float64], ...]
    observations: Mapping[int, Observation]


class _Read(NamedTuple):
    """What a member's file says of itself: the exposure, the digest of its pixels, and observations by EXTVER."""

    dataset: Dataset
    pixel_digest: str
    observations: Mapping[int, Observation]


_seen: SeenFiles[_Read] = SeenFiles()


def inspect_member(member: MemberInput) -> InspectedMember:
    """Read a member's headers, digest its pixels, and compare both with what was registered.

    A file that this process has inspected, and that did not change since, is not read again.

    Raises ProductError when the file is missing, or has another identity, another WCS or other pixels, and
    MemberUnusableError when it is damaged.
    """
    dataset, digest, observations = _read(member)
    exposure = dataset.exposure
    if member.pixel_digest is not None or member.pixels.startswith("d:"):
        _compare(member, "pixel digest", digest, member.pixel_digest or member.pixels)
    else:
        _compare(member, "pixel token", exposure.pixels, member.pixels)
    if differs(exposure.photometry, member.photometry):
        changes = name_changes(exposure.photometry, member.photometry)
        _compare(member, "photometry", changes, "as it was")
    _compare(member, "identity", exposure.ipppssoo, member.ipppssoo)
    _compare(member, "WCS digest", digest_realigned(exposure.wcs_digest or "none", member.alternate), member.wcs_digest)
    outlines = tuple(parse_region(exposure.s_region))
    if len(outlines) != exposure.n_chips:
        raise ProductError(
            f"{member.path} has {len(outlines)} footprints for {exposure.n_chips} chips; expected one per chip; "
            "ingest the file again"
        )
    correction = parse_alternate(member.alternate)[1]
    if correction is not None:
        outlines = tuple(correction.move_outline(outline) for outline in outlines)
    return InspectedMember(member, dataset, digest, member.wcs_digest, outlines, observations)


def check_unchanged(members: Iterable[InspectedMember]) -> None:
    """Raises ProductError when a file's size or time is no longer what `inspect_member` saw."""
    inspected_members = list(members)
    stamps = stamps_of(inspected.member.path for inspected in inspected_members)
    for inspected in inspected_members:
        path, dataset = inspected.member.path, inspected.dataset
        stamp = stamps[path]
        if isinstance(stamp, OSError):
            raise ProductError(
                f"{path} disappeared while it was being drizzled: {stamp.strerror}; run again"
            ) from stamp
        if not is_unchanged(path, (dataset.size, dataset.mtime_ns), stamp):
            raise ProductError(f"{path} changed while it was being drizzled; expected it to stay unchanged; run again")


def describe_chips(
    inspected: InspectedMember, used: Iterable[DrizzledChip], sky: float | None, weight: Weight = "exptime"
) -> list[ChipRow]:
    """The HDRTAB rows of a member, from its headers and from what the drizzle used of each chip."""
    exposure, member = inspected.dataset.exposure, inspected.member
    rows = [
        ChipRow(
            ipppssoo=member.ipppssoo,
            rootname=exposure.rootname,
            filename=Path(member.path).name.encode("ascii", "replace").decode(),
            kind=exposure.kind,
            extver=chip.extver,
            exptime=exposure.exptime,
            expstart=math.nan if exposure.expstart is None else exposure.expstart,
            expend=math.nan if exposure.expend is None else exposure.expend,
            wcsname=_solution_used(exposure, member),
            bunit=chip.bunit.rstrip(),
            idcscale=chip.idcscale,
            subtracted=chip.subtracted,
            factor=chip.factor,
            weight=0.0 if weight == "exptime" else chip.weight,
            pixels=member.pixels,
            pixel_digest=inspected.pixel_digest,
            wcs_digest=member.wcs_digest,
            sky_group=member.sky_group,
            sky=math.nan if sky is None else sky,
            s_region=format_region([outline]),
            observation=inspected.observations[chip.extver],
            photscale=chip.scale,
        )
        for chip, outline in zip(used, inspected.outlines, strict=True)
    ]
    return with_photometry(rows, exposure.photometry)


def with_photometry(rows: Sequence[ChipRow], photometry: str) -> list[ChipRow]:
    """The rows of a member, in the order of its chips, with this photometry; what was scaled stays as it is."""
    parsed = parse_photometry(photometry)
    if parsed is None:
        return list(rows)
    values = parsed.values[PHOTFLAM]
    return [
        replace(row, photometry=photometry, photflam=value if isinstance(value, float) else math.nan)
        for row, value in zip(rows, values, strict=True)
    ]


def _solution_used(exposure: Exposure, member: MemberInput) -> str:
    """WCSNAME, and the name of the alternate that was put on top of it, if any."""
    wcsname, (alternate, _) = (exposure.wcsname or "").rstrip(), parse_alternate(member.alternate)
    return f"{wcsname} alternate {alternate}".lstrip() if alternate else wcsname


def product_cards(inspected: InspectedMember) -> tuple[fits.Header, fits.Header]:
    """(PRIMARY, SCI) cards that a product takes over from its first member, or the one that has its flux: instrument,
    filter, photometry.

    The photometry is that of the chip whose sensitivity the pixels have, per electron: the first one, and of WFPC2 the
    one that the others were scaled to.
    """
    with open_pixels(inspected.member.path) as opened:
        file = scan_open(opened, inspected.member.path)
    chips = file.images("SCI")
    primary, sensitivity = file.primary, find_sensitivity(file.primary, [chip.header for chip in chips])
    general = fits.Header.fromstring(primary.printable)
    science = fits.Header.fromstring(chips[sensitivity.place].header.printable)
    if sensitivity.photflam is not None:
        science["PHOTFLAM"] = (sensitivity.photflam, "erg/cm2/A per electron")
    if "DETECTOR" not in general:  # WFPC2's chips have numbers instead
        general["DETECTOR"] = (inspected.dataset.exposure.detector.upper(), "detector in use")
    return carry_cards(general, science, inspected.dataset.exposure.filters)


def carry_cards(primary: fits.Header, science: fits.Header, filters: str) -> tuple[fits.Header, fits.Header]:
    """As `product_cards`, from the headers of a member, or of a product that took them over from one.

    SCI has the whole photometry, as in the archive's products; PRIMARY has what the member has there.
    """
    # FILTER comes last: it gets the wheels joined, whichever keywords the instrument has them in.
    wheels = tuple(keyword for keyword in list_filter_keywords() if keyword != "FILTER")
    general = _select(_PRIMARY_CARDS + wheels + _PHOTOMETRY, primary)
    general["FILTER"] = (format_header_filter(filters), "filters in use")
    return general, _select(_PHOTOMETRY, science, primary)


def _select(keywords: tuple[str, ...], *headers: fits.Header) -> fits.Header:
    """The cards of some keywords, each from the first header that has a value for it."""
    cards = []
    for keyword in keywords:
        mended = (_mend(header.cards[keyword]) for header in headers if keyword in header)
        cards += [card for card in mended if card is not None][:1]
    return fits.Header(cards)


def _mend(card: fits.Card) -> fits.Card | None:
    """The card, with a number where a member has it as text; None where it has no value."""
    try:
        value = card.value
    except VerifyError:  # NaN and the like are no values in FITS
        return None
    if isinstance(value, fits.card.Undefined):
        return None
    if card.keyword not in _NUMBERS or not isinstance(value, str):
        return card
    number = to_number(value)
    return None if number is None else fits.Card(card.keyword, number, card.comment)


def _observe(exposure: Exposure, primary: Cards, chip: Cards) -> Observation:
    return Observation(
        proposid=exposure.proposal_id,
        targname=_text(exposure.target),
        ra_targ=_number(primary.get("RA_TARG")),
        dec_targ=_number(primary.get("DEC_TARG")),
        date_obs=_text(primary.get("DATE-OBS")),
        time_obs=_text(primary.get("TIME-OBS")),
        aperture=_text(primary.get("APERTURE")),
        filter=_text(format_header_filter(exposure.filters)),
        ccdchip=_whole(chip.get("CCDCHIP", chip.get("DETECTOR"))),  # WFPC2 numbers its chips by DETECTOR
        ncombine=_whole(chip.get("NCOMBINE")),
    )


def _text(value: Value) -> str:
    """A value as text that a FITS header may hold."""
    text = "" if value is None else str(value)
    return "".join(letter if " " <= letter <= "~" else "?" for letter in text).strip()


def _number(value: Value) -> float:
    number = to_number(value)
    return math.nan if number is None else number


def _whole(value: Value) -> int:
    """A count, UNKNOWN where it is none. Detectors of one chip have no CCDCHIP, or -999."""
    number = to_number(value)
    return int(number) if number is not None and number.is_integer() and 0 <= number < 2**31 else UNKNOWN


def _read(member: MemberInput) -> _Read:
    """What is in a member's file, read or remembered."""
    try:
        with blame_member(member.ipppssoo):
            return _seen.find(member.path, partial(_read_file, member.path))
    except ExposureError as error:
        raise unusable_member(member.ipppssoo, error) from error
    except OSError as error:
        raise unusable_member(
            member.ipppssoo, ExposureError("unreadable", f"{member.path}: {error.strerror or error}")
        ) from error


def _read_file(path: str) -> _Read:
    with open_pixels(path) as opened:
        file = scan_open(opened, absolute(path))
        dataset, digest = read_open(file, opened.stream), digest_open(file, opened.stream)
    exposure = dataset.exposure
    return _Read(
        dataset, digest, {chip.ver: _observe(exposure, file.primary, chip.header) for chip in file.images("SCI")}
    )


def _compare(member: MemberInput, quantity: str, actual: str, expected: str) -> None:
    if actual != expected:
        raise ProductError(
            f"{member.path} changed since it was registered: its {quantity} is {actual}, expected {expected}; "
            f"run: mvmdb ingest {member.path}"
        )
