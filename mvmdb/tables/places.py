"""Where rows lie on the sky: by the region text that they give, else by pointing and aperture; else why they do not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mvmdb.errors import InputError
from mvmdb.instruments import find_detector
from mvmdb.sky.sphere import vector_to_sky
from mvmdb.tables.regions import Group, Polygons, gather, orient, read_regions
from mvmdb.tables.siaf.apertures_file import Aperture, load_apertures
from mvmdb.tables.siaf.footprints import Pointing, find_pointing
from mvmdb.tables.values import Fault

Number = float | None


@dataclass(frozen=True, slots=True)
class Rows:
    """What is known of where rows are; all lists of one length. `usable` says which rows are worth the effort."""

    usable: Sequence[bool]
    region: Sequence[str]
    ra: Sequence[Number]
    dec: Sequence[Number]
    pa_v3: Sequence[Number]
    aperture: Sequence[str]
    instrument: Sequence[str]
    detector: Sequence[str]
    filters: Sequence[str]


def find_places(rows: Rows, siaf: str | None, fault: Fault) -> Polygons:
    """The footprints of all usable rows; rows that have none are faults.

    A row with a region text that is none is a fault even where its aperture is known: which of the two is wrong cannot
    be told. `siaf` names the aperture file, None for the one that pysiaf ships; neither is needed while every row has
    a region.
    """
    given = [(at, text) for at, text in enumerate(rows.region) if text and rows.usable[at]]
    groups, problems = read_regions(given)
    for at, reason in problems.items():
        fault(at, reason)
    without = [at for at, text in enumerate(rows.region) if not text and rows.usable[at]]
    if without:
        groups += _find_pointings(rows, without, siaf, fault)
    return gather(groups)


def find_centers(polygons: Polygons, rows: Sequence[int]) -> tuple[list[float], list[float]]:
    """(ra, dec) of the middle of each row's footprint (see sky.footprint.footprint_center)."""
    footprints = polygons.select(np.asarray(rows, dtype=np.int64))
    ra, dec = vector_to_sky(footprints.centers())
    return ra.tolist(), dec.tolist()


def _find_pointings(rows: Rows, chosen: Sequence[int], siaf: str | None, fault: Fault) -> list[Group]:
    """Footprints by aperture, all rows of one aperture at once."""
    try:
        apertures = load_apertures(siaf)
    except InputError as error:
        if siaf is not None:
            raise
        for at in chosen:
            fault(at, f"found no s_region; {error}")
        return []
    by_pointing: dict[Pointing, list[int]] = {}
    for at in chosen:
        reason = _lacking(rows, at)
        if not reason:
            try:
                detector = find_detector(rows.instrument[at], rows.detector[at])
                pointing = find_pointing(rows.aperture[at], detector, rows.filters[at], apertures)
                by_pointing.setdefault(pointing, []).append(at)
            except ValueError as error:
                reason = str(error)
        if reason:
            fault(at, reason)
    return [group for pointing, those in by_pointing.items() for group in _place(rows, pointing, those, apertures)]


def _lacking(rows: Rows, at: int) -> str:
    values: Mapping[str, object] = {"ra": rows.ra[at], "dec": rows.dec[at], "pa_v3": rows.pa_v3[at]}
    missing = [name for name, value in values.items() if value is None]
    missing += [] if rows.aperture[at] else ["aperture"]
    if missing:
        return f"found no s_region, and no {', '.join(missing)}; expected one or the other"
    dec = rows.dec[at]
    return "" if dec is not None and abs(dec) <= 90.0 else f"found dec {dec}; expected -90 to 90 degrees"


def _place(rows: Rows, pointing: Pointing, those: list[int], apertures: Mapping[str, Aperture]) -> list[Group]:
    ra, dec, angle = (np.array([values[at] for at in those], float) for values in (rows.ra, rows.dec, rows.pa_v3))
    corners = pointing.footprints(apertures, ra, dec, angle)
    owner = np.array(those, dtype=np.int64)
    return [Group(owner, np.full(len(those), chip), orient(corners[:, chip])[0]) for chip in range(corners.shape[1])]
