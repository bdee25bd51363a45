"""Solves the skies of the archive before layers are made: measures what is missing, solves components, stores skies.

Each component of overlapping exposures of an obsmode is solved in one transaction, from all of its pairs. A layer that
holds an exposure whose sky moved is stale after it, wherever in the archive it is.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain

import numpy as np

from mvmdb.catalog.open import Engine
from mvmdb.catalog.products.sky_pairs import load_pairs_of, write_pairs
from mvmdb.catalog.skies.participants import Participants, load_participants
from mvmdb.catalog.skies.solution import load_known, save_noise, store_skies
from mvmdb.jobs.sky_jobs import divide_pairs, measure_on_workers
from mvmdb.mosaic.skies.settle import settle_skies, sky_limit
from mvmdb.mosaic.skies.solve import solve_skies
from mvmdb.records import MeasuredSkies, SkyPair
from mvmdb.sky.overlaps import Overlap, find_components, find_overlaps
from mvmdb.workers.executor import Workers

log = logging.getLogger(__name__)


@dataclass(slots=True)
class SolvedSkies:
    """What came of solving: the exposures whose sky is another now, and those that cannot be used.

    `refused` maps them to the rule that they fail and the reason.
    """

    moved: set[str] = field(default_factory=set)
    refused: dict[str, tuple[str, str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Component:
    """Some of the participants that overlap directly or indirectly, sorted, and the pairs of them that overlap."""

    names: Sequence[str]
    overlaps: Sequence[Overlap]


def solve_archive(engine: Engine, layers: Iterable[str], workers: Workers, *, anew: bool = False) -> SolvedSkies:
    """Solve the skies of all components that members of these layers (names) are in.

    Pairs that have not been measured are measured first, on the workers, and recorded as they come. If exposures turn
    out to be unusable, nothing is solved: the caller refuses them, and asks again. `anew`: skies are as solved,
    whatever mosaics have subtracted. Layers that do not take their skies from the solution are left out. Raises
    WorkersError if the workers are lost.
    """
    solved = SolvedSkies()
    with engine.begin() as connection:
        found = load_participants(connection, layers)
    todo = [(participants, component) for participants in found for component in _find_components(participants)]
    unread: set[str] = set()
    for participants, component in todo:
        unread |= _measure(engine, participants, component, workers, solved)
    if solved.refused:
        return solved
    for participants, component in todo:
        solved.moved |= _solve(engine, participants, component, unread, anew=anew)
    return solved


def _find_components(participants: Participants) -> list[_Component]:
    """The components that hold a seed."""
    regions = {name: one.s_region for name, one in participants.exposures.items()}
    overlaps = find_overlaps(participants.cells, regions)
    chosen = [names for names in find_components(list(regions), overlaps) if not participants.seeds.isdisjoint(names)]
    number = {name: index for index, names in enumerate(chosen) for name in names}
    by_component: list[list[Overlap]] = [[] for _ in chosen]
    for overlap in overlaps:
        if overlap.first in number:
            by_component[number[overlap.first]].append(overlap)
    return [_Component(names, pairs) for names, pairs in zip(chosen, by_component, strict=True)]


def _measure(
    engine: Engine, participants: Participants, component: _Component, workers: Workers, solved: SolvedSkies
) -> set[str]:
    """Measure the pairs and noises that are not known, record them, and return the exposures that could not be read."""
    exposures = {name: participants.exposures[name] for name in component.names}
    with engine.begin() as connection:
        known = load_known(connection, list(exposures.values()))
        pairs = load_pairs_of(connection, [one.id for one in exposures.values()], participants.recipe)
    measured = {(pair.first, pair.second) for pair in pairs}
    missing = [overlap for overlap in component.overlaps if (overlap.first, overlap.second) not in measured]
    cell_of = {name: cell for cell, names in sorted(participants.cells.items()) for name in names if name in exposures}
    jobs = divide_pairs(
        {name: one.member for name, one in exposures.items()},
        missing,
        [name for name in exposures if known[name].noise is None],
        participants.recipe,
        cell_of,
    )
    if jobs:
        log.info("measuring the skies of %d pairs of %s", len(missing), "/".join(participants.obsmode))
    unread: set[str] = set()
    for _, result in measure_on_workers(jobs, workers):
        _record(engine, participants, result)
        for name, why in result.unread:
            log.warning("the sky of %s is not measured: %s", name, why)
            unread.add(name)
        solved.refused.update({name: (rule, why) for name, rule, why in result.refused})
    return unread


def _record(engine: Engine, participants: Participants, result: MeasuredSkies) -> None:
    """Record what one job measured."""
    exposures = participants.exposures
    names = set(chain.from_iterable((pair.first, pair.second) for pair in result.pairs))
    with engine.begin() as connection:
        write_pairs(
            connection,
            result.pairs,
            {name: exposures[name].id for name in names},
            {name: exposures[name].member_digest for name in names},
            participants.recipe,
        )
        save_noise(connection, exposures, dict(result.noise))


def _solve(
    engine: Engine, participants: Participants, component: _Component, unread: set[str], *, anew: bool
) -> set[str]:
    """Solve a component from its pairs as they are recorded now, and store the skies; return the exposures that moved.

    Exposures that could not be read keep what they have.
    """
    exposures = {name: participants.exposures[name] for name in component.names if name not in unread}
    with engine.begin() as connection:
        known = load_known(connection, list(exposures.values()))
        names = [name for name in exposures if known[name].noise is not None]  # else it has changed since
        recorded = load_pairs_of(connection, [exposures[name].id for name in names], participants.recipe)
        overlapping = {(overlap.first, overlap.second) for overlap in component.overlaps}
        pairs = [pair for pair in recorded if (pair.first, pair.second) in overlapping]
        if not names:
            return set()
        solution = solve_skies(names, pairs, {})
        kept = {} if anew else {name: value for name in names if (value := known[name].value) is not None}
        noise = np.array([known[name].noise for name in names], dtype=np.float64)
        limits = dict(zip(names, sky_limit(noise, _count(names, component.overlaps)).tolist(), strict=True))
        skies = settle_skies(solution, kept, limits, _ends(pairs))
        moved = store_skies(connection, exposures, skies, component.names[0])
    if moved:
        log.info("%d of %d skies of %s are new", len(moved), len(names), "/".join(participants.obsmode))
    return set(moved)


def _ends(pairs: Iterable[SkyPair]) -> list[tuple[str, str]]:
    return [(pair.first, pair.second) for pair in pairs if pair.first_pixels > 0 and pair.second_pixels > 0]


def _count(names: Sequence[str], overlaps: Iterable[Overlap]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """How many others overlap each of these exposures."""
    number = {name: index for index, name in enumerate(names)}
    ends = [number[name] for overlap in overlaps for name in (overlap.first, overlap.second) if name in number]
    return np.bincount(np.array(ends, dtype=np.int64), minlength=len(names)).astype(np.int64)
