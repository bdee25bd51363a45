"""How a table becomes batches of exposures, and which of its rows cannot; the catalog that takes them is not known.

What a table cannot tell is left open: the WCS has no name, and pixels and WCS are identified by what the row says of
them, so that a changed row shows, and so that the exposure's own file, once ingested, replaces it.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np

from mvmdb.exposures.batch import COLUMNS, ExposureBatch
from mvmdb.garbage import gc_paused
from mvmdb.instruments import INSTRUMENTS
from mvmdb.tables.columns import find_columns
from mvmdb.tables.formats.source import Chunk, Format, open_table
from mvmdb.tables.identity import is_association, read_filters, read_instrument, read_kind, read_name
from mvmdb.tables.places import Rows, find_centers, find_places
from mvmdb.tables.problems import RowProblem
from mvmdb.tables.regions import Polygons, format_rows
from mvmdb.tables.rules import judge_row
from mvmdb.tables.values import read_dates, read_numbers, read_texts

BATCH_SIZE = 20_000
"""Rows held at once: about 100 MB with texts, polygons and columns."""
_COLLECTIONS = frozenset({"", "HST", "HAP", "HLA"})
_ASSOCIATION_WARNING = "the row is an association, which stands for several exposures"

Report = Callable[[RowProblem], None]
Progress = Callable[[int, int, int], None]
"""Called with how much was read, of how much (bytes or rows, as the format counts), and the number of rows so far."""


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
    rows without a region. `report` is called with each row that cannot be used; `progress` is
    called after each batch. Of rows of one exposure the last of a batch counts; an exposure of
    a later batch replaces its earlier one in the catalog. Raises InputError or UsageError where the table as a whole
    cannot be used.
    """
    with open_table(path, form) as source:
        found = find_columns(source.names, mapping or {}, os.fspath(path))
        fields = list(found)
        tell = report or _ignore
        chunks = source.chunks([found[name] for name in fields], batch_size, lambda at, why: _tell(tell, at, why))
        while True:
            with gc_paused():
                chunk = next(chunks, None)
                if chunk is None:
                    return
                batch = _read_chunk(chunk, dict(zip(fields, chunk.columns, strict=True)), siaf, tell)
            if progress is not None:
                progress(source.done(), source.length, chunk.read)
            if batch.n:
                yield batch


@dataclass(frozen=True, slots=True)
class _Fields:
    """The cells of a chunk; a field that the table does not have is empty, or None, in every row."""

    cells: Mapping[str, list[object]]
    n: int
    fault: Callable[[int, str], None]

    def texts(self, name: str) -> list[str]:
        return read_texts(self.cells[name]) if name in self.cells else [""] * self.n

    def numbers(self, name: str) -> list[float | None]:
        return read_numbers(self.cells[name], name, self.fault) if name in self.cells else [None] * self.n

    def dates(self, name: str) -> list[float | None]:
        return read_dates(self.cells[name], name, self.fault) if name in self.cells else [None] * self.n


@dataclass(slots=True)
class _Identities:
    """Who rows are: what identity.py reads, one value a row."""

    ipppssoo: list[str]
    rootname: list[str]
    instrument: list[str]
    detector: list[str]
    filters: list[str]
    filter: list[str]
    kind: list[str]
    filename: list[str]


_NOBODY = ("",) * 8


def _ignore(problem: RowProblem) -> None:
    """Nobody wants to know."""


def _tell(report: Report, number: int, why: str) -> None:
    report(RowProblem(number, "", why))


def _read_chunk(chunk: Chunk, cells: Mapping[str, list[object]], siaf: str | None, report: Report) -> ExposureBatch:
    n = len(chunk.numbers)
    reasons = [""] * n

    def fault(at: int, why: str) -> None:
        reasons[at] = reasons[at] or why

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
    polygons = find_places(rows, siaf, fault)
    for at, reason in enumerate(reasons):
        if reason:
            report(RowProblem(chunk.numbers[at], names[at], reason))
    last = {identities.ipppssoo[at]: at for at in range(n) if not reasons[at]}
    return _build_batch(sorted(last.values()), fields, identities, numbers | dates, given, polygons)


def _read_identities(fields: _Fields, names: Sequence[str]) -> _Identities:
    """Each row's identity; a faulty row has none."""
    cells = zip(
        names, fields.texts("collection"), fields.texts("instrument"), fields.texts("detector"),
        fields.texts("aperture"), fields.texts("filters"), fields.texts("kind"), fields.texts("filename"), strict=True,
    )  # fmt: skip
    read = []
    for at, row in enumerate(cells):
        try:
            read.append(_identify(*row))
        except ValueError as error:
            read.append(_NOBODY)
            fields.fault(at, str(error))
    return _Identities(*(map(list, zip(*read, strict=True)) if read else ([] for _ in _NOBODY)))


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
    found = read_kind(kind, filename or name, instrument, detector)
    return ipppssoo, rootname, instrument, detector, filters, layer_filter, found, filename


def _check_numbers(numbers: Mapping[str, list[float | None]], fault: Callable[[int, str], None]) -> None:
    for at, exptime in enumerate(numbers["exptime"]):
        if exptime is None or exptime < 0:
            fault(at, f"found exposure time {'' if exptime is None else exptime}; expected seconds, 0 or more")
    for at, proposal in enumerate(numbers["proposal_id"]):
        if proposal is not None and (proposal < 0 or proposal != int(proposal)):
            fault(at, f"found proposal_id {proposal}; expected a program's number")


def _build_batch(
    kept: list[int],
    fields: _Fields,
    who: _Identities,
    numbers: Mapping[str, list[float | None]],
    given: list[str],
    polygons: Polygons,
) -> ExposureBatch:
    def pick(values: Sequence[object]) -> Sequence[object]:
        return values if len(kept) == fields.n else [values[at] for at in kept]

    regions = format_rows(polygons, fields.n)
    chips = Counter(polygons.owner.tolist())
    ra, dec = find_centers(polygons, kept) if kept else ([], [])
    texts = {name: fields.texts(name) for name in ("target", "product_type", "intent", "moving")}
    verdicts = [
        judge_row(
            who.instrument[at], who.detector[at], who.filters[at], texts["target"][at],
            abs(numbers["exptime"][at] or 0.0) > 1e-5, texts["product_type"][at], texts["intent"][at],
            texts["moving"][at],
        )
        for at in kept
    ]  # fmt: skip
    unknown: list[object] = [None] * len(kept)
    columns: dict[str, Sequence[object]] = {
        name: pick(getattr(who, name))
        for name in ("ipppssoo", "rootname", "kind", "instrument", "detector", "filters", "filter", "filename")
    }
    columns |= {name: pick(numbers[name]) for name in ("exptime", "expstart", "expend")}
    columns |= {
        "proposal_id": [int(numbers["proposal_id"][at] or 0) for at in kept],
        "program": [who.rootname[at][1:4].upper() for at in kept],
        "visit": [who.rootname[at][4:6].upper() for at in kept],
        "target": pick(texts["target"]),
        "ra": ra,
        "dec": dec,
        "s_region": pick(regions),
        "s_region_given": [given[at] or None for at in kept],
        "n_chips": [chips[at] for at in kept],
        "wcsname": unknown,
        "distortion": unknown,
        "fit": unknown,
        "astrometric_catalog": unknown,
        "wcs_digest": [_digest(regions[at]) for at in kept],
        "pixels": [_digest(f"{who.ipppssoo[at]} {numbers['exptime'][at]!r} {who.filters[at]}") for at in kept],
        "eligible": [not rules for rules, _ in verdicts],
        "ineligible_rule": [rules for rules, _ in verdicts],
        "ineligible_reason": [reasons for _, reasons in verdicts],
        "warnings": [_ASSOCIATION_WARNING if is_association(who.rootname[at]) else "" for at in kept],
    }
    footprints = polygons.select(np.array(kept, dtype=np.int64))
    return ExposureBatch(len(kept), {name: columns[name] for name in COLUMNS}, footprints)


def _digest(text: str) -> str:
    """`r:` (from a row) and 32 hexadecimal digits."""
    return "r:" + blake2b(text.encode(), digest_size=16).hexdigest()
