"""Whether a member's file is still the one registered, and what a product records of it. drizzle/ uses the pixels."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from mvmdb.errors import ExposureError, ProductError
from mvmdb.exposures.fits.digest import digest_pixels
from mvmdb.exposures.read import read_exposure
from mvmdb.instruments import list_filter_keywords
from mvmdb.mosaic.drizzle.chips import blame_member, unusable_member
from mvmdb.mosaic.drizzle.members import DrizzledChip
from mvmdb.mosaic.product.provenance import ChipRow
from mvmdb.records import Dataset, MemberInput
from mvmdb.sky.region import format_region, parse_region
from mvmdb.stamp import file_stamp

_PRIMARY_CARDS = ("TELESCOP", "INSTRUME", "DETECTOR")
_PHOTOMETRY = ("PHOTMODE", "PHOTFLAM", "PHOTFNU", "PHOTZPT", "PHOTPLAM", "PHOTBW")


@dataclass(frozen=True, slots=True)
class InspectedMember:
    """A member whose file is as registered. `outlines` has one (n, 2) sky polygon in degrees per chip."""

    member: MemberInput
    dataset: Dataset
    pixel_digest: str
    wcs_digest: str
    outlines: tuple[NDArray[np.float64], ...]


def inspect_member(member: MemberInput) -> InspectedMember:
    """Read a member's headers, digest its pixels, and compare both with what was registered.

    Raises ProductError when the file is missing, or has another identity, another WCS or other pixels, and
    MemberUnusableError when it is damaged.
    """
    dataset, digest = _read(member)
    exposure = dataset.exposure
    if member.pixel_digest is not None or member.pixels.startswith("d:"):
        _compare(member, "pixel digest", digest, member.pixel_digest or member.pixels)
    else:
        _compare(member, "pixel token", exposure.pixels, member.pixels)
    _compare(member, "identity", exposure.ipppssoo, member.ipppssoo)
    _compare(member, "WCS digest", exposure.wcs_digest or "none", member.wcs_digest)
    outlines = tuple(parse_region(exposure.s_region))
    if len(outlines) != exposure.n_chips:
        raise ProductError(
            f"{member.path} has {len(outlines)} footprints for {exposure.n_chips} chips; expected one per chip; "
            "ingest the file again"
        )
    return InspectedMember(member, dataset, digest, member.wcs_digest, outlines)


def check_unchanged(members: Iterable[InspectedMember]) -> None:
    """Raises ProductError when a file's size or time is no longer what `inspect_member` saw."""
    for inspected in members:
        path, dataset = inspected.member.path, inspected.dataset
        try:
            status = Path(path).stat()
        except OSError as error:
            raise ProductError(
                f"{path} disappeared while it was being drizzled: {error.strerror}; run again"
            ) from error
        if file_stamp(status) != (dataset.size, dataset.mtime_ns):
            raise ProductError(f"{path} changed while it was being drizzled; expected it to stay unchanged; run again")


def describe_chips(inspected: InspectedMember, used: Iterable[DrizzledChip], sky: float | None) -> list[ChipRow]:
    """The HDRTAB rows of a member, from its headers and from what the drizzle used of each chip."""
    exposure, member = inspected.dataset.exposure, inspected.member
    return [
        ChipRow(
            ipppssoo=member.ipppssoo,
            rootname=exposure.rootname,
            filename=Path(member.path).name.encode("ascii", "replace").decode(),
            kind=exposure.kind,
            extver=chip.extver,
            exptime=exposure.exptime,
            expstart=math.nan if exposure.expstart is None else exposure.expstart,
            expend=math.nan if exposure.expend is None else exposure.expend,
            wcsname=(exposure.wcsname or "").rstrip(),
            bunit=chip.bunit.rstrip(),
            idcscale=chip.idcscale,
            subtracted=chip.subtracted,
            pixels=member.pixels,
            pixel_digest=inspected.pixel_digest,
            wcs_digest=member.wcs_digest,
            sky_group=member.sky_group,
            sky=math.nan if sky is None else sky,
            s_region=format_region([outline]),
        )
        for chip, outline in zip(used, inspected.outlines, strict=True)
    ]


def product_cards(inspected: InspectedMember) -> tuple[fits.Header, fits.Header]:
    """(PRIMARY, SCI) cards that a product takes over from its first member: instrument, filter, photometry.

    Photometry stays in the HDU in which the member has it, as in AstroDrizzle's products.
    """
    with fits.open(inspected.member.path, mode="readonly", memmap=False) as hdus:
        # FILTER comes last: it gets all wheels joined, whichever keywords the instrument has them in.
        wheels = tuple(keyword for keyword in list_filter_keywords() if keyword != "FILTER")
        primary = _select(hdus[0].header, _PRIMARY_CARDS + wheels + _PHOTOMETRY)
        first = min((hdu for hdu in hdus if hdu.name == "SCI"), key=lambda hdu: hdu.ver)
        science = _select(first.header, _PHOTOMETRY)
    primary["FILTER"] = (inspected.dataset.exposure.filters, "filter wheels")
    return primary, science


def _select(header: fits.Header, keywords: tuple[str, ...]) -> fits.Header:
    return fits.Header([header.cards[keyword] for keyword in keywords if keyword in header])


def _read(member: MemberInput) -> tuple[Dataset, str]:
    try:
        with blame_member(member.ipppssoo):
            return read_exposure(member.path), digest_pixels(member.path)
    except ExposureError as error:
        raise unusable_member(member.ipppssoo, error) from error
    except OSError as error:
        raise unusable_member(member.ipppssoo, ExposureError("unreadable", f"{member.path}: {error}")) from error


def _compare(member: MemberInput, quantity: str, actual: str, expected: str) -> None:
    if actual != expected:
        raise ProductError(
            f"{member.path} changed since it was registered: its {quantity} is {actual}, expected {expected}; "
            f"run: mvmdb ingest {member.path}"
        )
