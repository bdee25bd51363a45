"""Mosaics of one poller file with no catalog: its exposures alone say what the layers are made of."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import monotonic

import numpy as np

from mvmdb.errors import ExposureError, MemberUnusableError, MvmdbError, NothingViableError
from mvmdb.exposures.choose import Candidate, choose_active
from mvmdb.exposures.read import read_exposure
from mvmdb.mosaic.manifest import write_manifest
from mvmdb.mosaic.once import make_once
from mvmdb.mosaic.writing import sweep_temporaries
from mvmdb.names import CellId, format_product_name, parse_cell_name
from mvmdb.poller import Poller, check_paths, read_poller
from mvmdb.reconcile.expected import (
    SMALL,
    CellMember,
    bound_members,
    digest_member,
    expect_layers,
    group_members,
    left_out,
)
from mvmdb.reconcile.lock import claim_folder
from mvmdb.reconcile.run import LayerOutcome, Progress, ReconcileReport
from mvmdb.reconcile.work import carry_out
from mvmdb.records import Action, Dataset, LayerJob, Member, MemberInput, Policy
from mvmdb.sky.layer import ARCMIN2_PER_PIXEL, find_groups, measure_areas
from mvmdb.sky.membership import match_regions
from mvmdb.workers.choice import staffed
from mvmdb.workers.crew import Crew


@dataclass(frozen=True, slots=True)
class PollerWork:
    """The exposures of a poller by identity, which of them are NEW in which cell, and those that cannot be used."""

    datasets: Mapping[str, Dataset]
    cells: Mapping[str, Mapping[str, bool]]
    unusable: Mapping[str, str]


def process_poller(
    source: Path,
    products: Path,
    policy: Policy,
    *,
    jobs: int | None = None,
    crew: Crew | None = None,
    announce: Callable[[int], None] | None = None,
    progress: Progress | None = None,
) -> ReconcileReport:
    """Make the layers of a poller file that have a NEW row, each from all of its rows, NEW and OLD.

    A basic poller, without sky cells, stands for every sky cell that its exposures overlap, all NEW. Paths in it that
    are not absolute are relative to its own folder. The layers are made by the crew, or where none is given by `jobs`
    processes (None: one a core); `announce` is told how many they are. Raises InputError when the file cannot be read,
    ExposureError or NothingViableError when none of its exposures can be used, WorkersError when the crew is lost.
    """
    started = monotonic()
    work = read_poller_work(source, policy)
    report = ReconcileReport()
    with claim_folder(products), staffed(crew, jobs) as own:
        planned = {skycell: _build_jobs(skycell, work, products, policy, set()) for skycell in sorted(work.cells)}
        if announce is not None:
            announce(sum(map(len, planned.values())))
        for skycell, todo in planned.items():
            sweep_temporaries(products / skycell)
            again = partial(_build_jobs, skycell, work, products, policy)
            _make_layers(todo, again, own, report, progress)
            sweep_temporaries(products / skycell)  # of workers that died, whose layers others made
            if any(skycell in outcome.layer for outcome in report.layers):
                write_manifest(products / skycell, skycell)
    report.refused.update(work.unusable)
    report.seconds = round(monotonic() - started, 3)
    return report


def read_poller_work(source: Path, policy: Policy) -> PollerWork:
    """Read the headers of a poller's exposures: what is usable in which sky cell, and why the rest is not."""
    poller = read_poller(source)
    check_paths(poller, source.parent)
    datasets: dict[str, Dataset] = {}
    named: dict[tuple[str, str | None], bool] = {}
    unusable: dict[str, str] = {}
    only_small = True
    bad: list[ExposureError] = []
    for filename, skycell, is_new in _entries(poller):
        try:
            dataset = read_exposure(source.parent / filename)
        except ExposureError as error:
            bad.append(error)
            unusable[Path(filename).name] = str(error)
            continue
        exposure = dataset.exposure
        why = "; ".join(refusal.found for refusal in exposure.refusals)
        only_small = only_small and not why and (exposure.instrument, exposure.detector) in SMALL
        why = why or left_out(exposure.instrument, exposure.detector, exposure.kind, policy)
        if why:
            unusable[exposure.ipppssoo] = why
            continue
        datasets[exposure.ipppssoo] = _prefer(datasets.get(exposure.ipppssoo), dataset)
        key = (exposure.ipppssoo, skycell)
        named[key] = named.get(key, False) or is_new
    cells = _find_cells(datasets, named, unusable)
    if not cells and bad:
        raise bad[0]
    if not cells:
        reasons = "; ".join(f"{name}: {why}" for name, why in sorted(unusable.items()))
        message = f"{source}: none of its exposures can be in a layer ({reasons})"
        raise NothingViableError(message, only_small=only_small and not datasets)
    return PollerWork(datasets, cells, unusable)


def _entries(poller: Poller) -> list[tuple[str, str | None, bool]]:
    """(path, sky cell or None, whether it is NEW) of each line."""
    if poller.form == "basic":
        return [(filename, None, True) for filename in poller.filenames]
    return [(row.pathname, row.skycell, row.flag == "NEW") for row in poller.rows]


def _prefer(first: Dataset | None, second: Dataset) -> Dataset:
    if first is None:
        return second
    pair = {dataset.path: dataset for dataset in (first, second)}
    return pair[
        choose_active(
            [
                Candidate(d.exposure.kind, d.exposure.wcs_rank, d.exposure.processed, d.mtime_ns, d.path)
                for d in pair.values()
            ]
        ).path
    ]


def _find_cells(
    datasets: Mapping[str, Dataset], named: Mapping[tuple[str, str | None], bool], unusable: dict[str, str]
) -> dict[str, dict[str, bool]]:
    """The exposures of each sky cell and whether they are NEW; one that misses the cell it is named in is unusable."""
    names = list(datasets)
    found = match_regions([datasets[name].exposure.s_region for name in names], "overlap")
    overlaps: dict[str, set[str]] = {name: set() for name in names}
    for index, cell in zip(found.exposure.tolist(), found.cell_index.tolist(), strict=True):
        overlaps[names[index]].add(str(CellId.from_index(cell)))
    cells: dict[str, dict[str, bool]] = defaultdict(dict)
    for (name, skycell), is_new in named.items():
        if skycell is not None and skycell not in overlaps[name]:
            unusable[name] = f"it does not overlap {skycell}"
            continue
        for own in [skycell] if skycell is not None else overlaps[name]:
            cells[own][name] = cells[own].get(name, False) or is_new
    return dict(cells)


def _make_layers(
    todo: Sequence[LayerJob],
    again: Callable[[set[str]], Sequence[LayerJob]],
    crew: Crew,
    report: ReconcileReport,
    progress: Progress | None,
) -> None:
    """Make a cell's layers; where members' pixels prove empty, do what `again` says that is left without them."""
    empty: set[str] = set()
    settled: set[tuple[str, str]] = set()
    while True:
        found = set()
        for outcome in carry_out(todo, make_once, crew, expected=len(todo)):
            if isinstance(outcome.result, MemberUnusableError):
                found.add(outcome.result.ipppssoo)
                report.refused[outcome.result.ipppssoo] = str(outcome.result)
                continue
            settled.add((outcome.job.layer, outcome.job.recipe_digest))
            error = str(outcome.result) if isinstance(outcome.result, MvmdbError) else ""
            done = LayerOutcome(outcome.job.layer, Action.DRIZZLE, outcome.job.target, round(outcome.seconds, 3), error)
            report.note(done)
            if progress is not None:
                progress(done)
        if not found:
            return
        empty |= found
        todo = [job for job in again(empty) if (job.layer, job.recipe_digest) not in settled]


def _build_jobs(skycell: str, work: PollerWork, products: Path, policy: Policy, empty: set[str]) -> list[LayerJob]:
    cell = parse_cell_name(skycell)
    flags = {name: is_new for name, is_new in work.cells[skycell].items() if name not in empty}
    members, areas = _cell_members(cell, [work.datasets[name] for name in sorted(flags)])
    groups = group_members(members, policy)
    canvas = bound_members(member for group in groups.values() for member in group)
    jobs = []
    for kind, group in groups.items():
        if canvas is None or not any(flags[member.ipppssoo] for member in group):
            continue
        own = {member.ipppssoo: work.datasets[member.ipppssoo].exposure for member in group}
        regions = {name: exposure.s_region for name, exposure in own.items()}
        n = len(own)
        area = measure_areas(np.array([cell.index]), np.array([0, n]), np.arange(n), list(regions.values()))
        mean = sum(areas[name] for name in own) / float(area[0])
        groups_now = find_groups(cell.projection_cell, regions)
        parts = [Member(n, e.pixels, e.wcs_digest or "", groups_now[n]) for n, e in own.items()]
        for layer in expect_layers(skycell, kind, parts, canvas, mean, group[0].kind):
            inputs = tuple(
                MemberInput(m.ipppssoo, work.datasets[m.ipppssoo].path, m.pixels, None, m.wcs_digest, m.sky_group)
                for m in layer.members
            )
            target = products / skycell / format_product_name(layer.name, layer.kind)
            jobs.append(
                LayerJob(
                    layer.name, Action.DRIZZLE, layer.kind, layer.canvas, layer.recipe, layer.recipe_digest, inputs,
                    str(target),
                )
            )  # fmt: skip
    return jobs


def _cell_members(cell: CellId, datasets: Sequence[Dataset]) -> tuple[list[CellMember], dict[str, float]]:
    """The datasets that overlap a cell as its members, and the area of each overlap, square arcmin."""
    exposures = [dataset.exposure for dataset in datasets]
    found = match_regions([exposure.s_region for exposure in exposures], "overlap")
    members, areas = [], {}
    for row in (found.cell_index == cell.index).nonzero()[0].tolist():
        e = exposures[int(found.exposure[row])]
        box = (int(edge[row]) for edge in (found.x_min, found.x_max, found.y_min, found.y_max))
        digest = digest_member(e.ipppssoo, e.kind, e.pixels, e.wcs_digest or "")
        members.append(CellMember(e.ipppssoo, e.instrument, e.detector, e.filter, e.kind, digest, *box))
        areas[e.ipppssoo] = float(found.area[row]) * ARCMIN2_PER_PIXEL
    return members, areas
