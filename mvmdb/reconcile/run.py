"""Making stale layers fresh: plan, hand out jobs, record each product as it comes, keep the folders tidy."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import monotonic

import sqlalchemy as sa

from mvmdb.catalog.products import forget_product, load_kept_skies, load_member_inputs, record_failure, record_product
from mvmdb.catalog.register import refuse_exposure
from mvmdb.errors import MemberUnusableError, MvmdbError
from mvmdb.mosaic.make import make_product
from mvmdb.mosaic.manifest import write_manifest
from mvmdb.mosaic.writing import sweep_temporaries
from mvmdb.names import format_product_name
from mvmdb.reconcile.diff import groups_merge
from mvmdb.reconcile.lock import claim_folder
from mvmdb.reconcile.planning import Outlook, look_ahead
from mvmdb.reconcile.work import Outcome, carry_out
from mvmdb.records import Action, ExpectedLayer, LayerJob, ObservedProduct, PlannedLayer, Policy

log = logging.getLogger(__name__)

_COUNTERS = {Action.DRIZZLE: "drizzled", Action.ADD: "added", Action.RECANVAS: "recanvased", Action.REMOVE: "removed"}


@dataclass(frozen=True, slots=True)
class LayerOutcome:
    """What was done for one layer; `error` is empty when it is fresh now."""

    layer: str
    action: Action
    product: str
    seconds: float
    error: str = ""


@dataclass(slots=True)
class ReconcileReport:
    """What a reconcile did."""

    drizzled: int = 0
    added: int = 0
    recanvased: int = 0
    removed: int = 0
    failed: int = 0
    seconds: float = 0.0
    layers: list[LayerOutcome] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)

    def note(self, outcome: LayerOutcome) -> None:
        """Count one layer's outcome."""
        self.layers.append(outcome)
        counter = "failed" if outcome.error else _COUNTERS[outcome.action]
        setattr(self, counter, getattr(self, counter) + 1)


@dataclass(frozen=True, slots=True)
class Options:
    """How to reconcile: in which sky cells (keys), with how many workers, from scratch, with new skies."""

    cells: Sequence[int] | None = None
    jobs: int | None = None
    full: bool = False
    resky: bool = False


Progress = Callable[[LayerOutcome], None]


def reconcile(
    engine: sa.Engine,
    products: Path,
    policy: Policy,
    options: Options,
    *,
    announce: Callable[[Outlook], None] | None = None,
    progress: Progress | None = None,
) -> ReconcileReport:
    """Make every stale layer fresh, and remove orphaned products.

    `announce` is told the plan before anything is made. Each product is recorded in a transaction of its own as soon
    as it is in place, so that a killed run loses nothing that it finished. An exposure whose pixels turn out empty
    becomes ineligible, and its layers are planned again.
    """
    started = monotonic()
    report = ReconcileReport()
    with claim_folder(products):
        full = options.full or options.resky
        outlook = look_ahead(engine, products, policy, cells=options.cells, full=full)
        if announce is not None:
            announce(outlook)
        cells: set[str] = set()
        settled: set[str] = set()
        while lines := [line for line in outlook.plan.layers if line.name not in settled]:
            cells |= {line.skycell for line in lines}
            for skycell in sorted({line.skycell for line in lines}):
                sweep_temporaries(products / skycell)
            refused = _carry_out_plan(engine, products, lines, outlook, options, report, progress)
            settled |= {outcome.layer for outcome in report.layers}
            for error in refused:
                with engine.begin() as connection:
                    refuse_exposure(connection, error.ipppssoo, error.rule, str(error), policy)
                report.refused[error.ipppssoo] = error.rule
            if not refused:
                break
            outlook = look_ahead(engine, products, policy, cells=options.cells, full=full)
        for skycell in sorted(cells):
            write_manifest(products / skycell, skycell)
    report.seconds = round(monotonic() - started, 3)
    return report


def _carry_out_plan(
    engine: sa.Engine,
    products: Path,
    lines: Sequence[PlannedLayer],
    outlook: Outlook,
    options: Options,
    report: ReconcileReport,
    progress: Progress | None,
) -> list[MemberUnusableError]:
    """Do what the plan says; return the members that proved unusable, whose layers are left for the next round."""
    refused = []
    planned = {line.name: line for line in lines}
    made = [line for line in lines if line.action is not Action.REMOVE]
    jobs = _build_jobs(engine, products, made, outlook, options)
    for line in lines:
        if line.action is Action.REMOVE:
            _note(report, _remove(engine, products, line, outlook.observed[line.name]), progress)
    for outcome in carry_out(jobs, make_product, workers=options.jobs, expected=len(made)):
        if isinstance(outcome.result, MemberUnusableError):
            refused.append(outcome.result)
            continue
        line = planned[outcome.job.layer]
        done = _record(engine, outcome, line, outlook.observed.get(line.name))
        _note(report, done, progress)
    return refused


def _note(report: ReconcileReport, outcome: LayerOutcome, progress: Progress | None) -> None:
    report.note(outcome)
    if progress is not None:
        progress(outcome)


def _build_jobs(
    engine: sa.Engine, products: Path, lines: Iterable[PlannedLayer], outlook: Outlook, options: Options
) -> Iterator[LayerJob]:
    for line in lines:
        layer, product = outlook.expected[line.name], outlook.observed.get(line.name)
        yield build_job(engine, products, line.action, layer, product, resky=options.resky)


def build_job(
    engine: sa.Engine,
    products: Path,
    action: Action,
    layer: ExpectedLayer,
    product: ObservedProduct | None,
    *,
    resky: bool,
) -> LayerJob:
    """All that a worker needs for one layer. Skies kept from the product stay, but where `resky` or joined groups
    of exposures ask for new ones.
    """
    with engine.begin() as connection:
        members = load_member_inputs(connection, layer.name)
        kept = load_kept_skies(connection, layer.name)
    if resky or not layer.recipe.sky_match or (product is not None and groups_merge(layer, product)):
        kept = {}
    held = {member.ipppssoo for member in product.members} if product is not None and action is Action.ADD else set()
    return LayerJob(
        layer=layer.name,
        action=action,
        kind=layer.kind,
        canvas=layer.canvas,
        recipe=layer.recipe,
        recipe_digest=layer.recipe_digest,
        members=tuple(
            replace(member, sky=kept.get((member.ipppssoo, member.pixels)), drizzled=member.ipppssoo in held)
            for member in members
        ),
        target=str(products / layer.skycell / format_product_name(layer.name, layer.kind)),
    )


def _record(engine: sa.Engine, outcome: Outcome, line: PlannedLayer, product: ObservedProduct | None) -> LayerOutcome:
    job, result, seconds = outcome.job, outcome.result, round(outcome.seconds, 3)
    if isinstance(result, MvmdbError):
        log.warning("%s: %s", job.layer, result)
        with engine.begin() as connection:
            record_failure(connection, job.layer, str(result))
        return LayerOutcome(job.layer, job.action, job.target, seconds, str(result))
    with engine.begin() as connection:
        record_product(connection, result, action=str(job.action), reasons=line.reasons, seconds=seconds)
    if product is not None and product.filename != Path(job.target).name:
        Path(job.target).with_name(product.filename).unlink(missing_ok=True)  # drz gives way to drc, or back
    return LayerOutcome(job.layer, job.action, job.target, seconds)


def _remove(engine: sa.Engine, products: Path, line: PlannedLayer, product: ObservedProduct) -> LayerOutcome:
    started = monotonic()
    path = products / product.skycell / product.filename
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        return LayerOutcome(line.name, line.action, str(path), 0.0, f"cannot remove {path}: {error.strerror}")
    with engine.begin() as connection:
        forget_product(connection, line.name)
    return LayerOutcome(line.name, line.action, str(path), round(monotonic() - started, 3))
