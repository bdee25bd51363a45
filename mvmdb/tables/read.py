"""Turns a table into batches of exposures, and reports the rows that cannot be used; the catalog is not known here.

What a table does not contain stays empty: the WCS has no name. The digests of pixels and WCS are made from the row's
values, so that a changed row gives another digest, and so that the exposure's file, once ingested, replaces the row.
"""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np

from mvmdb.errors import MvmdbError
from mvmdb.exposures.batch import COLUMNS, ExposureBatch
from mvmdb.garbage import gc_paused
from mvmdb.instruments import HIGHEST_PROPOSAL, INSTRUMENTS, LONGEST_EXPOSURE
from mvmdb.tables.columns import find_columns
from mvmdb.tables.formats.source import Chunk, Format, next_chunk, open_table
from mvmdb.tables.identity import read_filters, read_instrument, read_kind, read_name
from mvmdb.tables.places import Places, Rows, find_places
from mvmdb.tables.problems import RowProblem
from mvmdb.tables.regions import format_rows
from mvmdb.tables.rules import judge_row
from mvmdb.tables.values import read_dates, read_numbers, read_texts, shorten

log = logging.getLogger(__name__)

BATCH_SIZE = 20_000
"""Rows held at once: about 100 MB with texts, polygons and columns."""
_COLLECTIONS = frozenset({"", "HST", "HAP", "HLA"})
_LONGEST_REASON = 400  # characters: a cell may hold a hundred thousand
_CROSSING_WARNING = "the region crosses itself, and its hull was taken"

Report = Callable[[RowProblem], None]
Progress = Callable[[int, int, int], None]
"""Called with the amount read, the total (both in bytes or in rows, depending on the format), and the rows so far."""


def read_batches(
    path: str | os.PathLike[str],
    *,
    mapping: Mapping[str, str] | None = None,
    form: Format | None = None,
    siaf: str | None = None,
    batch_size: int = BATCH_SIZE,
    report: Report | None = None,
    progress: Progress | None = None,
) -> Iterator[ExposureBatch]:
    """The exposures of a table, `batch_size` rows at a time; memory does not grow with the table.

    `mapping` names columns for fields of `columns.KNOWN`; `form` forces a format; `siaf` is the aperture file for
    rows without a region. `report` is called with each row that cannot be used, `progress` after each batch.
    If a batch has several rows of one exposure, the last one counts; an exposure of a later batch replaces the
    earlier one in the catalog. Raises InputError or UsageError if the table as a whole cannot be used.
    """
    with open_table(path, form) as source:
        positions = find_columns(source.names, mapping or {}, os.fspath(path))
        report_row = report or _ignore
        chunks = source.chunks(
            list(positions.values()), batch_size, lambda number, why: report_row(RowProblem(number, "", why))
        )
        while True:
            with gc_paused():
                chunk = next_chunk(chunks, os.fspath(path))
                if chunk is None:
                    return
                batches = _read_each(chunk, list(positions), siaf, report_row)
            if progress is not None:
                progress(source.done(), source.length, chunk.read)
            yield from (batch for batch in batches if batch.n)


@dataclass(frozen=True, slots=True)
class _Fields:
    """The cells of a chunk; a field that the table does not have is empty or None in every row."""

    cells: Mapping[str, list[object]]
    n: int
    fault: Callable[[int, str], None]

    def texts(self, name: str) -> list[str]:
        # A region holds no control characters, or it is none; and it is as long as all other texts together.
        return read_texts(self.cells[name], as_given=name == "region") if name in self.cells else [""] * self.n

    def numbers(self, name: str) -> list[float | None]:
        return read_numbers(self.cells[name], name, self.fault) if name in self.cells else [None] * self.n

    def dates(self, name: str) -> list[float | None]:
        return read_dates(self.cells[name], name, self.fault) if name in self.cells else [None] * self.n


@dataclass(slots=True)
class _Identities:
    """The identities of rows, as identity.py reads them: one value per row in each list."""

    ipppssoo: list[str]
    rootname: list[str]
    instrument: list[str]
    detector: list[str]
    filters: list[str]
    filter: list[str]
    kind: list[str]
    filename: list[str]


_NO_IDENTITY = ("",) * 8


def _ignore(problem: RowProblem) -> None:
    """Drop a problem: the caller gave no `report`."""


def _read_each(chunk: Chunk, fields: Sequence[str], siaf: str | None, report: Report) -> list[ExposureBatch]:
    """The rows of a chunk, whatever one of them does: where they fail together, halves are tried, down to that row."""
    problems: list[RowProblem] = []
    try:
        batches = [_read_chunk(chunk, dict(zip(fields, chunk.columns, strict=True)), siaf, problems.append)]
    except MvmdbError:
        raise
    except Exception as error:
        n = len(chunk.numbers)
        if n > 1:
            halves = (_cut(chunk, 0, n // 2), _cut(chunk, n // 2, n))
            return [batch for half in halves for batch in _read_each(half, fields, siaf, report)]
        log.info("row %d cannot be read", chunk.numbers[0], exc_info=True)
        batches, problems = [], [RowProblem(chunk.numbers[0], "", f"cannot be read: {type(error).__name__}: {error}")]
    for problem in problems:
        report(problem)
    return batches


def _cut(chunk: Chunk, first: int, stop: int) -> Chunk:
    return Chunk(chunk.numbers[first:stop], [column[first:stop] for column in chunk.columns], chunk.read)


def _read_chunk(chunk: Chunk, cells: Mapping[str, list[object]], siaf: str | None, report: Report) -> ExposureBatch:
    n = len(chunk.numbers)
    reasons = [""] * n

    def fault(row: int, why: str) -> None:
        reasons[row] = reasons[row] or why

    fields = _Fields(cells, n, fault)
    names = fields.texts("name")
    identities = _read_identities(fields, names)
    numbers = {name: fields.numbers(name) for name in ("exptime", "proposal_id", "ra", "dec", "pa_v3")}
    dates = {name: fields.dates(name) for name in ("expstart", "expend")}
    _check_numbers(numbers, fault)
    given = fields.texts("region")
    rows = Rows(
        [not reason for reason in reasons], given, numbers["ra"], numbers["dec"], numbers["pa_v3"],
        fields.texts("aperture"), identities.instrument, identities.detector, identities.filters,
    )  # fmt: skip
    places = find_places(rows, siaf, fault)
    for row, reason in enumerate(reasons):
        if reason:
            report(RowProblem(chunk.numbers[row], shorten(names[row]), shorten(reason, _LONGEST_REASON)))
    last_rows = {identities.ipppssoo[row]: row for row in range(n) if not reasons[row]}
    return _build_batch(sorted(last_rows.values()), fields, identities, numbers | dates, given, places)


def _read_identities(fields: _Fields, names: Sequence[str]) -> _Identities:
    """Each row's identity; a faulty row has an empty one."""
    cells = zip(
        names, fields.texts("collection"), fields.texts("instrument"), fields.texts("detector"),
        fields.texts("aperture"), fields.texts("filters"), fields.texts("kind"), fields.texts("filename"), strict=True,
    )  # fmt: skip
    identities = []
    for row, values in enumerate(cells):
        try:
            identities.append(_identify(*values))
        except ValueError as error:
            identities.append(_NO_IDENTITY)
            fields.fault(row, str(error))
    return _Identities(*(map(list, zip(*identities, strict=True)) if identities else ([] for _ in _NO_IDENTITY)))


def _identify(
    name: str, collection: str, camera: str, chip: str, aperture: str, wheels: str, kind: str, filename: str
) -> tuple[str, ...]:
    """The fields of _Identities for one row; raises ValueError."""
    if collection.upper() not in _COLLECTIONS:
        raise ValueError(f"found obs_collection {collection!r}; expected HST")
    instrument, detector = read_instrument(camera, chip, aperture)
    ipppssoo, rootname = read_name(name)
    letter = INSTRUMENTS[instrument].letter
    if not rootname.startswith(letter):
        raise ValueError(f"found the name {name!r} with instrument {camera!r}; expected {letter!r} at its start")
    filters, layer_filter = read_filters(wheels)
    filename = filename.rpartition("/")[2]
    kind = read_kind(kind, filename or name, instrument, detector)
    return ipppssoo, rootname, instrument, detector, filters, layer_filter, kind, filename


def _check_numbers(numbers: Mapping[str, list[float | None]], fault: Callable[[int, str], None]) -> None:
    for row, exptime in enumerate(numbers["exptime"]):
        if exptime is None or not 0 <= exptime <= LONGEST_EXPOSURE:
            what = "" if exptime is None else exptime
            fault(row, f"found exposure time {what}; expected seconds, 0 to {LONGEST_EXPOSURE:g}")
    for row, proposal in enumerate(numbers["proposal_id"]):
        if proposal is not None and not (0 <= proposal <= HIGHEST_PROPOSAL and proposal == int(proposal)):
            fault(row, f"found proposal_id {proposal}; expected a program's number, 0 to {HIGHEST_PROPOSAL}")


def _build_batch(
    kept: list[int],
    fields: _Fields,
    identities: _Identities,
    numbers: Mapping[str, list[float | None]],
    given: list[str],
    places: Places,
) -> ExposureBatch:
    """The batch of the rows `kept`; every other argument holds all rows of the chunk."""

    def pick(values: Sequence[object]) -> Sequence[object]:
        return values if len(kept) == fields.n else [values[row] for row in kept]

    polygons, crossing = places.polygons, places.crossing
    regions = format_rows(polygons, fields.n)
    chips = Counter(polygons.owner.tolist())
    targets = fields.texts("target")
    verdicts = _judge_rows(kept, fields, identities, targets, numbers["exptime"])
    unknown: list[object] = [None] * len(kept)
    columns: dict[str, Sequence[object]] = {
        name: pick(getattr(identities, name))
        for name in ("ipppssoo", "rootname", "kind", "instrument", "detector", "filters", "filter", "filename")
    }
    columns |= {name: pick(numbers[name]) for name in ("exptime", "expstart", "expend")}
    columns |= {
        "proposal_id": [int(numbers["proposal_id"][row] or 0) for row in kept],
        "program": [identities.rootname[row][1:4].upper() for row in kept],
        "visit": [identities.rootname[row][4:6].upper() for row in kept],
        "target": pick(targets),
        "ra": pick(places.ra.tolist()),
        "dec": pick(places.dec.tolist()),
        "s_region": pick(regions),
        "s_region_given": [given[row] or None for row in kept],
        "n_chips": [chips[row] for row in kept],
        "wcsname": unknown,
        "distortion": unknown,
        "fit": unknown,
        "astrometric_catalog": unknown,
        "wcs_digest": [_digest(regions[row]) for row in kept],
        "pixels": [
            _digest(f"{identities.ipppssoo[row]} {numbers['exptime'][row]!r} {identities.filters[row]}") for row in kept
        ],
        "eligible": [not rules for rules, _ in verdicts],
        "ineligible_rule": [rules for rules, _ in verdicts],
        "ineligible_reason": [reasons for _, reasons in verdicts],
        "warnings": [_CROSSING_WARNING if row in crossing else "" for row in kept],
    }
    footprints = polygons.select(np.array(kept, dtype=np.int64))
    return ExposureBatch(len(kept), {name: columns[name] for name in COLUMNS}, footprints)


def _judge_rows(
    kept: list[int], fields: _Fields, identities: _Identities, targets: list[str], exptimes: list[float | None]
) -> list[tuple[str, str]]:
    """The eligibility rules that each row of `kept` breaks, and the reasons, as `judge_row` returns them."""
    products, intents, moving = (fields.texts(name) for name in ("product_type", "intent", "moving"))
    return [
        judge_row(
            identities.instrument[row], identities.detector[row], identities.filters[row], targets[row],
            abs(exptimes[row] or 0.0) > 1e-5, products[row], intents[row], moving[row],
        )
        for row in kept
    ]  # fmt: skip


def _digest(text: str) -> str:
    """`r:` (for: from a row) and 32 hexadecimal digits."""
    return "r:" + blake2b(text.encode(), digest_size=16).hexdigest()
