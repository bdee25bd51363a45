"""What the archive's methods return: values that tell what they are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mvmdb.shown import Shown, Told

if TYPE_CHECKING:
    from pathlib import Path

    from mvmdb.catalog.ask.describe import Description
    from mvmdb.catalog.ask.history import PastRun, RecordedEvent
    from mvmdb.catalog.ask.misaligned import Misalignment
    from mvmdb.catalog.ask.mixing import Mixing
    from mvmdb.catalog.claims.alive import AtWork
    from mvmdb.catalog.exposures.bulk_load import BulkReport
    from mvmdb.catalog.exposures.ingest import IngestReport
    from mvmdb.catalog.exposures.prune import PruneReport
    from mvmdb.catalog.exposures.quarantine import QuarantinedFile
    from mvmdb.exposures.find import ExposurePaths
    from mvmdb.jobs.report import ReconcileReport
    from mvmdb.nightly import NightReport
    from mvmdb.pollers.write import WrittenPollers
    from mvmdb.rebuild import RebuildReport
    from mvmdb.reconcile.planning import Outlook
    from mvmdb.records import PlannedLayer, Reason
    from mvmdb.rectangles.estimate import Estimate
    from mvmdb.staging.stage import StageReport
    from mvmdb.tables.problems import ProblemList


@dataclass(frozen=True, slots=True, repr=False)
class Status(Shown):
    """What is stale, and why: the `outlook`, how many exposures have each kind of warning, and the runs at work.

    `mixing`: how many layers mix astrometric frames, and the worst. `misalignment`: how many have members that do not
    lie together, and the worst.
    """

    outlook: Outlook
    warnings: dict[str, int]
    at_work: Sequence[AtWork]
    mixing: Mixing
    misalignment: Misalignment

    @property
    def layers(self) -> int:
        """The number of layers that should exist."""
        return self.outlook.layers

    @property
    def fresh(self) -> int:
        """The number of layers for which nothing has to be done."""
        return self.outlook.plan.fresh

    @property
    def stale(self) -> int:
        """The number of layers that need work and do not wait for files."""
        return self.outlook.stale

    @property
    def orphaned(self) -> int:
        """The number of products whose layers are no longer expected."""
        return self.outlook.orphaned

    @property
    def waiting(self) -> int:
        """The number of layers that wait for files of their members."""
        return self.outlook.waiting

    @property
    def plan(self) -> tuple[PlannedLayer, ...]:
        """The layers that need something, each with its action and reasons; those that wait for files too."""
        return tuple(self.outlook.plan.layers)

    @property
    def attention(self) -> bool:
        """Whether anything is stale or orphaned."""
        return self.stale + self.orphaned > 0

    def tell(self) -> Told:
        """The counts, and the plan."""
        waiting = f", {self.waiting} waiting for files" if self.waiting else ""
        line = f"{self.layers} layers, {self.fresh} fresh, {self.stale} stale, {self.orphaned} orphaned{waiting}"
        rows = ((one.name, one.action, _codes(one.reasons)) for one in self.plan)
        return Told(line, ("layer", "action", "reasons"), rows)


@dataclass(frozen=True, slots=True, repr=False)
class Explanation(Shown):
    """All that is known about one layer, sky cell, exposure or quarantined file.

    `stale` are its layers that need something, `events` the latest of its history, oldest first; `has_more` says
    whether there are earlier ones.
    """

    description: Description
    stale: tuple[PlannedLayer, ...]
    events: tuple[RecordedEvent, ...]
    has_more: bool

    @property
    def kind(self) -> str:
        """What it is: layer, sky cell, exposure or quarantined file."""
        return self.description.kind

    @property
    def name(self) -> str:
        """Its full name."""
        return self.description.name

    @property
    def lines(self) -> tuple[str, ...]:
        """What is known about it, in sentences."""
        return self.description.lines

    def tell(self) -> Told:
        """What it is, the sentences, and the events."""
        lines = [*self.lines, *(f"Stale: {one.name}: {one.action}: {_codes(one.reasons)}" for one in self.stale)]
        for event in self.events:
            words = "; ".join(filter(None, (_codes(event.reasons), event.detail)))
            lines.append(f"History: {event.at:%Y-%m-%d %H:%M:%S} {event.kind}" + (f": {words}" if words else ""))
        return Told(f"{self.kind} {self.name}", ("what is known",), [(line,) for line in lines])


@dataclass(frozen=True, slots=True, repr=False)
class History(Shown):
    """Runs and events, oldest first: either is empty if the other was asked for."""

    runs: tuple[PastRun, ...] = ()
    events: tuple[RecordedEvent, ...] = ()

    def tell(self) -> Told:
        """How many there are, and the events, or else the runs."""
        line = f"{len(self.runs)} runs, {len(self.events)} events"
        if self.events:
            names = ("at", "kind", "subject", "reasons", "detail", "run")
            rows: Iterator[tuple[object, ...]] = (
                (
                    f"{e.at:%Y-%m-%d %H:%M:%S}",
                    e.kind,
                    e.layer or e.exposure or e.path,
                    _codes(e.reasons),
                    e.detail,
                    e.run_id,
                )
                for e in self.events
            )
            return Told(line, names, rows)
        past = (
            (r.id, r.command, f"{r.started_at:%Y-%m-%d %H:%M:%S}", r.exit_code, r.username, r.host) for r in self.runs
        )
        return Told(line, ("run", "command", "started_at", "exit_code", "username", "host"), past)


@dataclass(frozen=True, slots=True, repr=False)
class Ingested(Shown):
    """What an ingest did: its `report`, the files that it `found`, and what was pruned, where that was asked for."""

    report: IngestReport
    found: ExposurePaths
    prune: PruneReport | None = None

    @property
    def attention(self) -> bool:
        """Whether a fault is new, a folder could not be read, a file is compressed, or pruning was refused."""
        refused = self.prune is not None and bool(self.prune.refused)
        return any((self.report.news, refused, self.found.unreadable_folders, self.found.compressed))

    def tell(self) -> Told:
        """The counts, and the files that cannot be used."""
        return Told(_ingest_line(self.report), ("file", "kind", "reason"), _problem_rows(self.report.problems))


@dataclass(frozen=True, slots=True, repr=False)
class Reconciled(Shown):
    """What a run of `reconcile` or `mosaic` did; `estimate` is what a mosaic was going to cost.

    `pictures`: the paths of those that were asked for.
    """

    report: ReconcileReport
    estimate: Estimate | None = None
    pictures: tuple[str, ...] = ()

    @property
    def products(self) -> list[str]:
        """The paths of the mosaics that were made."""
        return [one.product for one in self.report.layers if one.product and not one.error]

    @property
    def attention(self) -> bool:
        """Whether a layer failed, or a problem is reported."""
        return self.report.failed > 0 or bool(self.report.problems)

    @property
    def incomplete(self) -> bool:
        """Whether a mosaic failed, or an exposure that was asked for could not be used."""
        return self.report.failed > 0 or bool(self.report.refused)

    def tell(self) -> Told:
        """The counts, and the layers."""
        return Told(_made_line(self.report), ("layer", "action", "seconds", "error"), _made_rows(self.report))


@dataclass(frozen=True, slots=True, repr=False)
class Night(Shown):
    """What a night did: its `report`, its `summary` as `mvmdb nightly --report` writes it, and its run's number."""

    report: NightReport
    summary: dict[str, Any]
    run: int
    found: ExposurePaths

    @property
    def problems(self) -> list[str]:
        """What concerns no single layer, such as a poller file that cannot be written."""
        return [*self.report.poller_problems, *self.report.gone, *self.report.reconcile.problems]

    @property
    def troubles(self) -> tuple[object, ...]:
        """What needs attention besides layers that failed."""
        news = [file for file in self.report.vanished if file.new]
        refused = self.report.prune is not None and self.report.prune.refused
        found = self.found
        return (self.report.ingest.news, news, refused, self.problems, found.unreadable_folders, found.compressed)

    @property
    def attention(self) -> bool:
        """Whether a layer failed, or anything else needs attention."""
        return any(self.troubles) or self.report.reconcile.failed > 0

    @property
    def eventful(self) -> bool:
        """Whether there is anything to say."""
        from mvmdb.catalog.ask.night import is_eventful

        return is_eventful(self.summary, self.troubles)

    def tell(self) -> Told:
        """The counts, and the layers."""
        line = f"{_ingest_line(self.report.ingest)}; {_made_line(self.report.reconcile)}"
        return Told(line, ("layer", "action", "seconds", "error"), _made_rows(self.report.reconcile))


@dataclass(frozen=True, slots=True, repr=False)
class Imported(Shown):
    """What an import did: its `report`, the rows that were left out (`listed`), all rows, and how long it took."""

    report: BulkReport
    listed: ProblemList
    rows: int
    seconds: float

    @property
    def attention(self) -> bool:
        """Whether a row was left out, or has no solution."""
        return self.listed.count > 0 or bool(self.report.unplaced)

    def tell(self) -> Told:
        """The counts, and the first rows that were left out."""
        report = self.report
        line = (
            f"{self.rows} rows: {report.new} new, {report.changed} changed, {report.unchanged} unchanged, "
            f"{self.listed.count} left out; {report.ineligible} ineligible"
        )
        return Told(line, ("row", "dataset", "reason"), ((p.row, p.dataset, p.reason) for p in self.listed.first))


@dataclass(frozen=True, slots=True, repr=False)
class Rebuilt(Shown):
    """What a rebuild did: its `report`, the files that it `found`, and the products folder."""

    report: RebuildReport
    found: ExposurePaths
    products: Path

    @property
    def attention(self) -> bool:
        """Whether a file or product could not be used, or something that was decided did not come back."""
        report, waiting = self.report, self.report.waiting
        return (
            any((report.ingest.news, self.found.unreadable_folders, self.found.compressed))
            or any((report.tables, report.unknown, waiting.exposures, waiting.accepted))
            or not report.decided
        )

    def tell(self) -> Told:
        """The counts, and the products that are not recorded."""
        outlook = self.report.outlook
        line = f"{_ingest_line(self.report.ingest)}; {outlook.layers} layers, {outlook.plan.fresh} fresh"
        return Told(line, ("product that is not recorded",), ((path,) for path in self.report.unknown))


@dataclass(frozen=True, slots=True, repr=False)
class Pollers(Shown):
    """The poller files that were written, and how many layers wait for files."""

    written: WrittenPollers
    waiting: int

    @property
    def paths(self) -> list[str]:
        """The paths of the files."""
        return self.written.paths

    @property
    def attention(self) -> bool:
        """Whether a file could not be written, or names an exposure that is gone."""
        return bool(self.written.problems or self.written.gone)

    def tell(self) -> Told:
        """How many there are, and their paths."""
        return Told(f"{len(self.paths)} files", ("path",), [(path,) for path in self.paths])


@dataclass(frozen=True, slots=True, repr=False)
class Staged(Shown):
    """The folders that were filled, and how many layers wait for files."""

    report: StageReport
    waiting: int

    @property
    def attention(self) -> bool:
        """Whether a sky cell is not complete."""
        return bool(self.report.problems)

    def tell(self) -> Told:
        """How many sky cells there are, and what is missing in them."""
        line = f"{len(self.report.cells)} sky cells, {self.report.bytes} bytes"
        return Told(line, ("problem",), [(problem,) for problem in self.report.problems])


@dataclass(frozen=True, slots=True, repr=False)
class Quarantine(Shown):
    """Files that could not be used, each with the reason and the day when it was first seen."""

    files: list[QuarantinedFile] = field(default_factory=list)

    @property
    def attention(self) -> bool:
        """Whether a file has not been accepted."""
        return not all(file.accepted for file in self.files)

    def tell(self) -> Told:
        """How many there are, and the files."""
        line = f"{len(self.files)} files, {sum(file.accepted for file in self.files)} accepted"
        return Told(line, ("file", "kind", "reason"), _problem_rows(self.files))


def _codes(reasons: Sequence[Reason]) -> str:
    return ", ".join(dict.fromkeys(str(reason.code) for reason in reasons))


def _ingest_line(report: IngestReport) -> str:
    return (
        f"{report.found} files: {report.new} new, {report.changed} changed, {report.unchanged} unchanged, "
        f"{report.quarantined} quarantined; {report.ineligible} ineligible"
    )


def _problem_rows(files: Sequence[QuarantinedFile]) -> Iterator[tuple[object, ...]]:
    return ((file.path, file.kind, file.reason) for file in files)


def _made_line(report: ReconcileReport) -> str:
    return (
        f"{report.drizzled} drizzled, {report.added} added to, {report.recanvased} recanvased, "
        + (f"{report.rescaled} rescaled, " if report.rescaled else "")
        + f"{report.removed} removed, {report.failed} failed"
        + (f", {report.shifted} shifted" if report.shifted else "")
    )


def _made_rows(report: ReconcileReport) -> Iterator[tuple[object, ...]]:
    layers = sorted(report.layers, key=lambda done: done.layer)
    return ((one.layer, one.action, f"{one.seconds:.1f}", one.error or None) for one in layers)
