"""Whether the row of an exposure agrees with itself and with the rows of its files, and whether geometry supports its
memberships. What its file says is not looked at here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from mvmdb.catalog.alternates import Chosen, load_chosen
from mvmdb.catalog.check.close import is_same
from mvmdb.catalog.check.finding import Damage, Finding, differences
from mvmdb.catalog.exposures.register import photometry_values
from mvmdb.correction import digest_realigned
from mvmdb.errors import MvmdbError
from mvmdb.exposures.wcsname import rank_solution, split_wcsname
from mvmdb.frames import frame_of_file
from mvmdb.instruments import find_detector
from mvmdb.layers.digests import digest_member
from mvmdb.names import CellId, format_layer_filter
from mvmdb.records import Rule
from mvmdb.schema import tables as t
from mvmdb.schema.engine import among
from mvmdb.sky.footprint import footprint_center
from mvmdb.sky.layer import ARCMIN2_PER_PIXEL
from mvmdb.sky.membership import match_each_region
from mvmdb.sky.region import parse_region

Box = tuple[int, int, int, int, float]
"""x_min, x_max, y_min, y_max in fine pixels, and the area in square arcmin."""

_BOX = ("x_min", "x_max", "y_min", "y_max", "area_arcmin2")


@dataclass(slots=True)
class Corrections:
    """What the rows of exposures (keys) should say where they do not: member digests, eligibility, frames, memberships.

    `unplaced` are those whose footprint cannot be read.
    """

    digests: dict[int, str] = field(default_factory=dict)
    eligible: dict[int, bool] = field(default_factory=dict)
    frames: dict[int, str | None] = field(default_factory=dict)
    boxes: dict[int, dict[int, Box]] = field(default_factory=dict)
    unplaced: set[int] = field(default_factory=set)

    def __bool__(self) -> bool:
        return bool(self.digests or self.eligible or self.frames or self.boxes)


def check_exposures(
    connection: sa.Connection, ids: Sequence[int], rule: Rule, corrections: Corrections
) -> list[Finding]:
    """The findings in the rows of these exposures (keys); adds what they should say to `corrections`."""
    e, m, d = t.exposure, t.membership, t.dataset
    rows = connection.execute(sa.select(e).where(among(connection, e.c.id, ids)).order_by(e.c.ipppssoo)).all()
    query = sa.select(d).where(among(connection, d.c.exposure_id, ids)).order_by(d.c.path)
    files: dict[int, list[Any]] = {}
    for file in connection.execute(query):
        files.setdefault(file.exposure_id, []).append(file)
    recorded: dict[int, dict[int, Box]] = {}
    columns = (m.c[name] for name in ("exposure_id", "skycell_id", *_BOX))
    for exposure, cell, *box in connection.execute(sa.select(*columns).where(among(connection, m.c.exposure_id, ids))):
        recorded.setdefault(exposure, {})[cell] = tuple(box)
    findings: list[Finding] = []
    chosen = load_chosen(connection, ids)
    for row in rows:
        findings += _check_row(row, chosen.get(row.id), corrections)
        findings += _check_files(row, files.get(row.id, []))
    findings += _check_memberships(rows, recorded, rule, corrections)
    return findings


def load_exposure_rows(connection: sa.Connection, names: Sequence[str]) -> list[Any]:
    """The rows of these exposures (ipppssoo)."""
    return list(connection.execute(sa.select(t.exposure).where(t.exposure.c.ipppssoo.in_(names))))


def _check_row(row: Any, alternate: Chosen | None, corrections: Corrections) -> Iterator[Finding]:
    try:
        implied = _implied_by(row, alternate)
    except (MvmdbError, ValueError, KeyError) as error:
        found, expected = str(error), "values that an exposure can have"
    else:
        wrong = {name: (getattr(row, name), value) for name, value in implied.items()}
        wrong = {name: pair for name, pair in wrong.items() if not is_same(name, *pair)}
        if "member_digest" in wrong:
            corrections.digests[row.id] = str(implied["member_digest"])
        if "eligible" in wrong:
            corrections.eligible[row.id] = bool(implied["eligible"])
        if "frame" in wrong:
            corrections.frames[row.id] = implied["frame"]  # type: ignore[assignment]
        if not wrong:
            return
        found, expected = differences(wrong)
    yield Finding(Damage.EXPOSURE_WRONG, exposure=row.ipppssoo, table="exposure", found=found, expected=expected)


def _implied_by(row: Any, chosen: Chosen | None) -> dict[str, object]:
    """The columns of an exposure that follow from others, and from the solution that layers are told to use.

    Raises where those others are nonsense.
    """
    alternate = "" if chosen is None else chosen.text
    used = None if row.wcs_digest is None else digest_realigned(row.wcs_digest, alternate)
    find_detector(row.instrument, row.detector)
    ra, dec = footprint_center(parse_region(row.s_region)) if row.s_region else (None, None)
    values: dict[str, object] = {
        "ipppssoo": row.rootname[:8],
        "program": row.rootname[1:4].upper(),
        "visit": row.rootname[4:6].upper(),
        "filter": format_layer_filter(row.filters),
        "ra": ra,
        "dec": dec,
        "eligible": row.ineligible_rule == "",
        "ineligible_reason": row.ineligible_reason if row.ineligible_rule else "",
        "withdrawn_why": row.withdrawn_why if row.withdrawn_at is not None else None,
        "pruned": row.pruned and row.withdrawn_at is not None,
        "alternate": alternate,
        "member_wcs": used,
        "member_digest": digest_member(row.ipppssoo, row.kind, row.pixels, used or ""),
    }
    solution = split_wcsname(row.wcsname)
    values |= {"distortion": solution.distortion, "fit": solution.fit, "astrometric_catalog": solution.catalog}
    own = frame_of_file(row.wcsname, solution.distortion, solution.fit, solution.catalog)
    values["frame"] = own if chosen is None else chosen.frame
    values |= photometry_values(row.photometry or "")
    if row.path:
        values["filename"] = Path(row.path).name
    return values


def _check_files(row: Any, files: Sequence[Any]) -> Iterator[Finding]:
    """One file is active, the one that the exposure names, and it is of the exposure's kind."""
    if row.withdrawn_at is None and row.path not in {"", *(file.path for file in files)}:
        yield _of_file(row, row.path, "no row of the active file", f"one with path={row.path!r}")
    for file in files:
        implied: dict[str, object] = {"active": file.path == row.path, "filename": Path(file.path).name}
        if file.path == row.path:
            implied |= {"kind": row.kind, "wcs_rank": rank_solution(row.wcsname)}
        wrong = {name: (getattr(file, name), value) for name, value in implied.items() if getattr(file, name) != value}
        if wrong:
            yield _of_file(row, file.path, *differences(wrong))


def _of_file(row: Any, path: str, found: str, expected: str) -> Finding:
    return Finding(
        Damage.DATASET_WRONG, exposure=row.ipppssoo, path=path, table="dataset", found=found, expected=expected
    )


def _check_memberships(
    rows: Sequence[Any], recorded: Mapping[int, Mapping[int, Box]], rule: Rule, corrections: Corrections
) -> Iterator[Finding]:
    regions = [row.s_region if is_region(row.s_region) else "" for row in rows]
    corrections.unplaced |= {row.id for row, region in zip(rows, regions, strict=True) if region != row.s_region}
    matched, _ = match_each_region(regions, rule)
    supported: dict[int, dict[int, Box]] = {}
    columns = (matched.x_min, matched.x_max, matched.y_min, matched.y_max, matched.area * ARCMIN2_PER_PIXEL)
    values = zip(*(column.tolist() for column in columns), strict=True)
    for number, cell, box in zip(matched.exposure.tolist(), matched.cell_index.tolist(), values, strict=True):
        supported.setdefault(rows[number].id, {})[cell] = box
    for row in rows:
        now, then = supported.get(row.id, {}), recorded.get(row.id, {})
        wrong = [cell for cell in sorted(now.keys() | then.keys()) if not _same_box(then.get(cell), now.get(cell))]
        if wrong:
            corrections.boxes[row.id] = now
        for cell in wrong:
            yield Finding(
                Damage.MEMBERSHIP_WRONG, skycell=str(CellId.from_index(cell)) if cell >= 0 else str(cell),
                exposure=row.ipppssoo, table="membership", found=_box_words(then.get(cell)),
                expected=_box_words(now.get(cell)),
            )  # fmt: skip


def is_camera(instrument: str, detector: str) -> bool:
    """Whether there is such a detector."""
    try:
        find_detector(instrument, detector)
    except MvmdbError:
        return False
    return True


def is_region(text: str) -> bool:
    """Whether a footprint can be read."""
    try:
        return bool(text) and bool(parse_region(text))
    except (MvmdbError, ValueError):
        return False


def _same_box(first: Box | None, second: Box | None) -> bool:
    if first is None or second is None:
        return first is second
    return all(is_same(name, *pair) for name, *pair in zip(_BOX, first, second, strict=True))


def _box_words(box: Box | None) -> str:
    if box is None:
        return "not a member"
    return f"a member in {box[0]}:{box[1]},{box[2]}:{box[3]}, {box[4]:.6g} square arcmin"
