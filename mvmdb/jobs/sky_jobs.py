"""Measures the skies of overlapping exposures on workers: the pairs are divided into jobs, in the order of the sky."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import groupby, islice
from operator import attrgetter
from typing import TypeVar

from mvmdb.errors import MvmdbError, WorkersError
from mvmdb.mosaic.flux import Flux
from mvmdb.mosaic.skies.carry_out import measure_skies
from mvmdb.mosaic.skies.choose import along_curve, choose_overlapping
from mvmdb.mosaic.skies.solve import solve_skies
from mvmdb.names import CELLS_PER_PROJECTION_CELL, CellId, format_cell_name, parse_cell_name, parse_layer_name
from mvmdb.recipe import Recipe
from mvmdb.records import CellExposure, LayerJob, MeasuredSkies, MemberInput, SkyJob, SkyPair
from mvmdb.sky.footprints import Footprints
from mvmdb.sky.layer import project_exposures
from mvmdb.sky.overlaps import Overlap, find_overlaps
from mvmdb.workers.executor import Workers

T = TypeVar("T")

log = logging.getLogger(__name__)

PAIRS_AT_ONCE = 100
"""Pairs of one job: an exposure is read once for its pairs in a job, and a killed run loses the jobs in progress."""


def divide_pairs(
    members: Mapping[str, MemberInput],
    overlaps: Sequence[Overlap],
    noise_of: Collection[str],
    recipe: Recipe,
    cell_of: Mapping[str, int],
    photflam: float | None,
    regions: Mapping[str, str],
) -> list[SkyJob]:
    """The jobs that measure the pairs that overlap, and the noise of the exposures `noise_of` (ipppssoo).

    `cell_of` is a sky cell (key) of each of these: of exposures without a pair, the noise alone is measured. Chips are
    compared in electrons of the PHOTFLAM `photflam`. Jobs are divided by the places of exposures on the sky, of which
    `regions` has the `s_region` of each, so that each is read for few jobs.
    """
    left, jobs = set(noise_of), []

    def add(cell: int, names: Collection[str], pairs: Sequence[tuple[str, str]]) -> None:
        chosen = sorted(names)
        noise = tuple(name for name in chosen if name in left)
        left.difference_update(noise)
        cell_name = format_cell_name(CellId.from_index(cell))
        jobs.append(SkyJob(cell_name, recipe, tuple(members[name] for name in chosen), tuple(pairs), noise, photflam))

    in_order = sorted(overlaps, key=attrgetter("cell", "first", "second"))
    for cell, of_cell in groupby(in_order, key=attrgetter("cell")):
        for batch in _batches(_along_the_sky(cell, list(of_cell), regions)):
            pairs = [(overlap.first, overlap.second) for overlap in batch]
            add(cell, {name for pair in pairs for name in pair}, pairs)
    alone = sorted((cell_of[name], name) for name in left)
    for cell, of_alone in groupby(alone, key=lambda one: one[0]):
        for names in _batches(of_alone):
            add(cell, [name for _, name in names], ())
    return jobs


def _along_the_sky(cell: int, overlaps: Sequence[Overlap], regions: Mapping[str, str]) -> list[Overlap]:
    """The overlaps in a sky cell (key) so that those of exposures near each other come soon after each other."""
    names = sorted({name for overlap in overlaps for name in (overlap.first, overlap.second)})
    footprints = Footprints.from_regions([regions[name] for name in names])
    curve = along_curve(project_exposures(cell // CELLS_PER_PROJECTION_CELL, footprints))
    place = {names[n]: at for at, n in enumerate(curve.tolist())}
    return sorted(overlaps, key=lambda overlap: sorted((place[overlap.first], place[overlap.second])))


def _batches(values: Iterable[T]) -> Iterator[list[T]]:
    iterator = iter(values)
    while batch := list(islice(iterator, PAIRS_AT_ONCE)):
        yield batch


def measure_on_workers(jobs: Sequence[SkyJob], workers: Workers) -> Iterator[tuple[SkyJob, MeasuredSkies]]:
    """Do every job, and yield what came of each as soon as it is known, in any order.

    Where a worker dies, or gives up, its exposures are unread. Raises WorkersError if the workers are lost.
    """
    for done in workers.executor.each(_attempt, jobs, expected=len(jobs), name=attrgetter("cell")):
        if isinstance(done.result, WorkersError):
            yield done.item, _unread(done.item, str(done.result))
        else:
            yield done.item, done.result


def solve_together(
    jobs: Sequence[LayerJob], exposures: Mapping[str, CellExposure], workers: Workers
) -> dict[str, dict[str, float]]:
    """The skies (electrons/s/arcsec^2) of the members of each layer that takes solved skies, by layer and ipppssoo.

    Each is in its exposure's own electrons. There is no catalog: those of the layers of one camera and filter are
    solved together, across sky cells, scales and labels, from the exposures at hand. Those that cannot be read are left
    out: their layers say why.
    """
    groups: dict[object, list[LayerJob]] = {}
    for job in jobs:
        if job.recipe.takes_solved_skies:
            layer, recipe = parse_layer_name(job.layer), job.recipe
            settings = (recipe.sky_good_bits, recipe.sky_clips, recipe.sky_sigma, recipe.sky_lower)
            groups.setdefault((layer.instrument, layer.detector, layer.filter, settings), []).append(job)
    skies: dict[str, dict[str, float]] = {}
    for together in groups.values():
        solved = _solve_group(together, exposures, workers)
        skies.update({job.layer: solved for job in together})
    return skies


def _solve_group(jobs: Sequence[LayerJob], exposures: Mapping[str, CellExposure], workers: Workers) -> dict[str, float]:
    members = {member.ipppssoo: member for job in jobs for member in job.members}
    cells: dict[int, list[str]] = {}
    for job in jobs:
        cell = cells.setdefault(parse_cell_name(parse_layer_name(job.layer).skycell).index, [])
        cell += [member.ipppssoo for member in job.members if member.ipppssoo not in cell]
    regions = {name: exposures[name].s_region for name in members}
    overlaps = find_overlaps(cells, regions, choose_overlapping)
    pairs: list[SkyPair] = []
    unused: set[str] = set()
    flux = Flux.of(jobs[0].recipe, {name: exposures[name].photometry for name in members})
    divided = divide_pairs(members, overlaps, (), jobs[0].recipe, {}, flux.photflam, regions)
    for _, result in measure_on_workers(divided, workers):
        pairs += result.pairs
        unused |= {name for name, *_ in (*result.unread, *result.refused)}
    pairs.sort(key=attrgetter("first", "second"))
    solved = solve_skies(sorted(members.keys() - unused), flux.pairs_here(pairs), {})
    return {name: sky / flux.scales[name] for name, sky in solved.items()}


def _attempt(job: SkyJob) -> MeasuredSkies:
    """Runs in a worker: an error leaves the job's exposures unread, and the other jobs go on."""
    try:
        return measure_skies(job)
    except MvmdbError as error:
        return _unread(job, str(error))
    except Exception as error:
        log.exception("skies in %s", job.cell)
        return _unread(job, f"{type(error).__name__}: {error}")


def _unread(job: SkyJob, why: str) -> MeasuredSkies:
    return MeasuredSkies(unread=tuple((member.ipppssoo, why) for member in job.members))
