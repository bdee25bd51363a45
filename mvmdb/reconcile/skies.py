"""Solves the skies of the archive before layers are made: measures what is missing, solves components, stores skies.

Each component of overlapping exposures of an obsmode is solved in one transaction, from all of its pairs. A layer that
holds an exposure whose sky moved is stale after it, wherever in the archive it is.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from mvmdb.catalog.exposures.standing import refuse_exposure
from mvmdb.catalog.open import Engine
from mvmdb.catalog.products.sky_pairs import load_pairs_of, write_pairs
from mvmdb.catalog.skies.participants import Participants, find_obsmodes, load_participants
from mvmdb.catalog.skies.solution import load_known, save_noise, store_skies
from mvmdb.jobs.report import ReconcileReport
from mvmdb.jobs.sky_jobs import divide_pairs, measure_on_workers
from mvmdb.mosaic.flux import Flux
from mvmdb.mosaic.skies.choose import choose_overlapping
from mvmdb.mosaic.skies.settle import keep_levels, settle_skies, sky_limit
from mvmdb.mosaic.skies.solve import solve_skies
from mvmdb.reconcile.planning import Outlook
from mvmdb.records import Action, MeasuredSkies, Policy, SkyPair
from mvmdb.sky.overlaps import Names, Overlap, count_overlapping, find_components, find_overlaps
from mvmdb.workers.executor import Workers

_READING = (Action.DRIZZLE, Action.ADD)
"""What is made from members' pixels, so that their skies are needed."""

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
    """Some of the participants that overlap directly or indirectly, sorted, and the pairs of them that are compared."""

    names: Sequence[str]
    overlaps: Sequence[Overlap]


def solve_for_plan(
    engine: Engine,
    policy: Policy,
    workers: Workers,
    outlook: Outlook,
    look: Callable[[], Outlook],
    report: ReconcileReport,
    *,
    resting: Collection[str],
    anew: bool,
) -> Outlook:
    """Solve the skies of the layers of a plan that are made from members' pixels, and are not `resting`.

    Returns the plan after it, as `look` gives it: exposures may have turned out to be unusable, which are refused and
    noted in the report, and other layers may have become stale. `anew` as in `solve_archive`.
    """
    while True:
        lines = [line for line in outlook.plan.layers if line.action in _READING and not line.n_waiting]
        names = [line.name for line in lines if line.name not in resting]
        solved = solve_archive(engine, names, workers, anew=anew)
        for ipppssoo, (rule, why) in solved.refused.items():
            refuse_exposure(engine, ipppssoo, rule, why, policy)
            report.refused[ipppssoo] = why
        if solved.refused or solved.moved:
            outlook = look()
        if not solved.refused:
            return outlook


def solve_archive(engine: Engine, layers: Iterable[str], workers: Workers, *, anew: bool = False) -> SolvedSkies:
    """Solve the skies of all components that members of these layers (names) are in.

    Pairs that have not been measured are measured first, on the workers, and recorded as they come. If exposures turn
    out to be unusable, those of their obsmode are not solved: the caller refuses them, and asks again. `anew`: skies
    are as solved, whatever mosaics have subtracted. Layers that do not take their skies from the solution are left out.
    Raises WorkersError if the workers are lost.
    """
    with engine.begin() as connection:
        wanted = find_obsmodes(connection, layers)
    solved = SolvedSkies()
    for obsmode, names in wanted.items():
        while True:
            with engine.begin() as connection:
                participants = load_participants(connection, obsmode, names)
            if participants is None:
                break
            solver = _Solver(engine, participants, workers)
            solver.measure()
            if solver.refused:
                solved.refused |= solver.refused
                break
            try:
                solved.moved |= solver.solve(names, anew=anew)
                break
            except _ChangedError:
                log.info("exposures came or left while skies were measured; they are solved with them")
    return solved


class _ChangedError(Exception):
    """Other exposures take part now than those that were measured."""


class _Solver:
    """Measures and solves the components of one obsmode that hold a seed, in electrons of one PHOTFLAM.

    `unread` are exposures whose files could not be read: their layers say why.
    """

    def __init__(self, engine: Engine, participants: Participants, workers: Workers) -> None:
        self.engine, self.participants, self.workers = engine, participants, workers
        self.unread: set[str] = set()
        self.refused: dict[str, tuple[str, str]] = {}
        self._regions = {name: one.s_region for name, one in participants.exposures.items()}
        self._components: list[_Component] = []
        photometries = {name: one.photometry for name, one in participants.exposures.items()}
        self._flux = Flux.of(participants.recipe, photometries)

    def measure(self) -> None:
        """Measure the pairs and the noises that are not known, until no pair that says nothing is new."""
        exposures = self.participants.exposures
        with self.engine.begin() as connection:
            skies = load_known(connection, list(exposures.values()))
            known = load_pairs_of(connection, [one.id for one in exposures.values()], self.participants.recipe)
        noisy = {name for name, sky in skies.items() if sky.noise is not None}
        pairs = {(pair.first, pair.second): pair for pair in known}
        while True:
            silent = {names for names, pair in pairs.items() if not pair.speaks}
            self._components = self._find_components(silent)
            wanted = [overlap for one in self._components for overlap in one.overlaps]
            missing = [overlap for overlap in wanted if (overlap.first, overlap.second) not in pairs]
            quiet = {name for one in self._components for name in one.names} - noisy - self.unread
            measured = self._measure(missing, quiet)
            noisy |= quiet
            pairs |= {(pair.first, pair.second): pair for pair in measured}
            if self.refused or all(pair.speaks for pair in measured):
                return

    def _find_components(self, silent: set[Names]) -> list[_Component]:
        """The components that hold a seed."""
        overlaps = find_overlaps(self.participants.cells, self._regions, choose_overlapping, silent)
        seeds = self.participants.seeds
        chosen = [names for names in find_components(list(self._regions), overlaps) if not seeds.isdisjoint(names)]
        number = {name: index for index, names in enumerate(chosen) for name in names}
        by_component: list[list[Overlap]] = [[] for _ in chosen]
        for overlap in overlaps:
            if overlap.first in number:
                by_component[number[overlap.first]].append(overlap)
        return [_Component(names, pairs) for names, pairs in zip(chosen, by_component, strict=True)]

    def _measure(self, missing: Sequence[Overlap], quiet: Collection[str]) -> list[SkyPair]:
        """Measure pairs, and the noise of exposures, and record what comes of each job as it comes."""
        exposures = self.participants.exposures
        cells = sorted(self.participants.cells.items(), reverse=True)
        cell_of = {name: cell for cell, names in cells for name in names}  # the first of each
        members = {name: one.member for name, one in exposures.items()}
        missing = [overlap for overlap in missing if self.unread.isdisjoint((overlap.first, overlap.second))]
        recipe, photflam = self.participants.recipe, self._flux.photflam
        jobs = divide_pairs(members, missing, quiet, recipe, cell_of, photflam, self._regions)
        if jobs:
            log.info("measuring the skies of %d pairs of %s", len(missing), "/".join(self.participants.obsmode))
        measured: list[SkyPair] = []
        for _, result in measure_on_workers(jobs, self.workers):
            self._record(result)
            measured += result.pairs
            for name, why in result.unread:
                log.warning("the sky of %s is not measured: %s", name, why)
                self.unread.add(name)
            self.refused |= {name: (rule, why) for name, rule, why in result.refused}
        return measured

    def _record(self, result: MeasuredSkies) -> None:
        exposures = self.participants.exposures
        names = {name for pair in result.pairs for name in (pair.first, pair.second)}
        with self.engine.begin() as connection:
            write_pairs(
                connection,
                result.pairs,
                {name: exposures[name].id for name in names},
                {name: exposures[name].member_digest for name in names},
                self.participants.recipe,
            )
            save_noise(connection, exposures, dict(result.noise))

    def solve(self, layers: Sequence[str], *, anew: bool) -> set[str]:
        """Solve each component from its pairs as they are recorded now; return the exposures whose skies moved.

        Raises _ChangedError if other exposures take part by now: another run may have solved them, and a solution
        without them would undo that.
        """
        counts = count_overlapping(self.participants.cells, self._regions)
        moved = set()
        for component in self._components:
            moved |= self._solve(component, counts, layers, anew=anew)
        return moved

    def _solve(
        self, component: _Component, counts: Mapping[str, int], layers: Sequence[str], *, anew: bool
    ) -> set[str]:
        """Solve one component. If some of it could not be read, its parts keep their levels, and new ones get none."""
        exposures = {name: self.participants.exposures[name] for name in component.names}
        chosen = {(overlap.first, overlap.second) for overlap in component.overlaps}
        with self.engine.begin() as connection:
            if self.participants != load_participants(connection, self.participants.obsmode, layers):
                raise _ChangedError
            known = load_known(connection, list(exposures.values()))
            names = [name for name in exposures if known[name].noise is not None]
            recorded = load_pairs_of(connection, [exposures[name].id for name in names], self.participants.recipe)
            pairs = self._flux.pairs_here([pair for pair in recorded if (pair.first, pair.second) in chosen])
            scales = self._flux.scales
            own = {} if anew else {name: value for name in names if (value := known[name].value) is not None}
            kept = {name: value * scales[name] for name, value in own.items()}
            noise = np.array([(known[name].noise or 0.0) * scales[name] for name in names])
            limits = sky_limit(noise, np.array([counts[name] for name in names], dtype=np.int64)).tolist()
            speaking = [(pair.first, pair.second) for pair in pairs if pair.speaks]
            solution = solve_skies(names, pairs, {})
            if not self.unread.isdisjoint(component.names):
                solution = keep_levels(solution, kept, speaking)
            skies = settle_skies(solution, kept, dict(zip(names, limits, strict=True)), speaking)
            in_own = {
                name: own[name] if name in own and sky == kept[name] else sky / scales[name]
                for name, sky in skies.items()
            }
            moved = store_skies(connection, exposures, in_own, component.names[0])
        if moved:
            log.info("%d of %d skies of %s moved", len(moved), len(names), "/".join(self.participants.obsmode))
        return set(moved)
