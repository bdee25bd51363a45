"""Where rows lie on the sky, by their region text, else by pointing and aperture; a row that has neither is a fault."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mvmdb.errors import InputError
from mvmdb.instruments import find_detector
from mvmdb.sky.plausible import find_impossible
from mvmdb.sky.region import SANE_RA
from mvmdb.sky.sphere import FloatArray, vector_to_sky
from mvmdb.tables.regions import Group, Polygons, gather, orient, read_regions
from mvmdb.tables.siaf.apertures_file import Aperture, load_apertures
from mvmdb.tables.siaf.footprints import Pointing, find_pointing
from mvmdb.tables.values import Fault

Number = float | None


@dataclass(frozen=True, slots=True)
class Rows:
    """What a table says of the positions of rows; all lists of one length. Rows that are not `usable` are skipped."""

    usable: Sequence[bool]
    region: Sequence[str]
    ra: Sequence[Number]
    dec: Sequence[Number]
    pa_v3: Sequence[Number]
    aperture: Sequence[str]
    instrument: Sequence[str]
    detector: Sequence[str]
    filters: Sequence[str]


@dataclass(frozen=True, slots=True)
class Places:
    """The footprints of n rows; `ra` and `dec` (n,) of their middles in degrees (see sky.footprint.footprint_center);
    and for rows whose outline crosses or touches itself, how many of its polygons do."""

    polygons: Polygons
    ra: FloatArray
    dec: FloatArray
    crossing: Mapping[int, int]


def find_places(rows: Rows, siaf: str | None, fault: Fault) -> Places:
    """Where all usable rows lie; a row that lies nowhere, or whose footprint its detector cannot see, is a fault.

    A row with an invalid region text is a fault even if its aperture is known: nothing tells which of the two is
    wrong. `siaf` names the aperture file, None the one that pysiaf ships; neither is needed if every row has a region.
    """
    with_region = [(row, text) for row, text in enumerate(rows.region) if text and rows.usable[row]]
    groups, problems, crossing = read_regions(with_region)
    for row, reason in problems.items():
        fault(row, reason)
    without_region = [row for row, text in enumerate(rows.region) if not text and rows.usable[row]]
    if without_region:
        groups += _find_pointings(rows, without_region, siaf, fault)
    return _check_places(rows, gather(groups), crossing, fault)


def _check_places(rows: Rows, polygons: Polygons, crossing: Mapping[int, int], fault: Fault) -> Places:
    """The places of all rows; a footprint that cannot be true of the row's detector is a fault."""
    footprints = polygons.select(np.arange(len(rows.region)))
    known = {key: find_detector(*key) for key in set(zip(rows.instrument, rows.detector, strict=True)) if all(key)}
    detectors = [known.get(key) for key in zip(rows.instrument, rows.detector, strict=True)]
    centre, impossible = find_impossible(footprints, polygons.area, detectors)
    for row, reason in impossible.items():
        fault(row, reason)
    ra, dec = vector_to_sky(centre)
    return Places(polygons, ra, dec, crossing)


def _find_pointings(rows: Rows, chosen: Sequence[int], siaf: str | None, fault: Fault) -> list[Group]:
    """The footprints of the `chosen` rows by their apertures, all rows of one aperture at once."""
    try:
        apertures = load_apertures(siaf)
    except InputError as error:
        if siaf is not None:
            raise
        for row in chosen:
            fault(row, f"found no s_region; {error}")
        return []
    by_pointing: dict[Pointing, list[int]] = {}
    for row in chosen:
        reason = _explain_no_pointing(rows, row)
        if not reason:
            try:
                detector = find_detector(rows.instrument[row], rows.detector[row])
                pointing = find_pointing(rows.aperture[row], detector, rows.filters[row], apertures)
                by_pointing.setdefault(pointing, []).append(row)
            except ValueError as error:
                reason = str(error)
        if reason:
            fault(row, reason)
    return [group for pointing, pointed in by_pointing.items() for group in _place(rows, pointing, pointed, apertures)]


def _explain_no_pointing(rows: Rows, row: int) -> str:
    """Why a row has no pointing; empty if it has one."""
    values: Mapping[str, object] = {"ra": rows.ra[row], "dec": rows.dec[row], "pa_v3": rows.pa_v3[row]}
    missing = [name for name, value in values.items() if value is None]
    missing += [] if rows.aperture[row] else ["aperture"]
    if missing:
        return f"found no s_region, and no {', '.join(missing)}; expected one or the other"
    dec = rows.dec[row]
    if dec is None or not abs(dec) <= 90.0:
        return f"found dec {dec}; expected -90 to 90 degrees"
    for name, angle in (("ra", rows.ra[row]), ("pa_v3", rows.pa_v3[row])):
        if angle is None or not abs(angle) <= SANE_RA:
            return f"found {name} {angle}; expected degrees, at most {SANE_RA:g}"
    return ""


def _place(rows: Rows, pointing: Pointing, pointed: list[int], apertures: Mapping[str, Aperture]) -> list[Group]:
    """The chips of the rows `pointed`, all of one pointing."""
    ra, dec, angle = (np.array([values[row] for row in pointed], float) for values in (rows.ra, rows.dec, rows.pa_v3))
    corners = pointing.footprints(apertures, ra, dec, angle)
    owner = np.array(pointed, dtype=np.int64)
    groups = []
    for chip in range(corners.shape[1]):
        oriented = orient(corners[:, chip])
        groups.append(Group(owner, np.full(len(pointed), chip), oriented.vertices, oriented.area))
    return groups
