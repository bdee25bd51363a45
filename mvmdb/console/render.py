"""Turns reports into the lines and the JSON values that commands print."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from mvmdb.catalog.clock import utc_text
from mvmdb.exposures.warning_texts import KINDS
from mvmdb.records import PlannedLayer, Reason

if TYPE_CHECKING:
    from mvmdb.catalog.claims.alive import AtWork
    from mvmdb.catalog.exposures.ingest import IngestReport
    from mvmdb.catalog.exposures.quarantine import QuarantinedFile
    from mvmdb.jobs.report import ReconcileReport
    from mvmdb.reconcile.planning import Outlook
    from mvmdb.staging.stage import StageReport

_COUNTS = (
    "found", "new", "changed", "unchanged", "left_out", "ineligible", "quarantined", "memberships", "seconds",
)  # fmt: skip


def ingest_json(report: IngestReport) -> dict[str, Any]:
    """The JSON object of `ingest`; `passive` maps each file that is not used to the one that is preferred to it."""
    values = {name: getattr(report, name) for name in _COUNTS}
    return values | {
        "problems": [asdict(problem) for problem in report.problems],
        "passive": report.passive,
        "stretching": [
            {"visit": one.visit, "exposures": one.exposures, "size": one.size} | asdict(one.growth)
            for one in report.stretching
        ],
    }


def at_work_json(runs: Sequence[AtWork]) -> list[dict[str, Any]]:
    """The runs that make layers now."""
    return [
        {
            "host": run.holder.host,
            "pid": run.holder.pid,
            "since": utc_text(run.holder.since),
            "layers": list(run.layers),
        }
        for run in runs
    ]


def at_work_words(runs: Iterable[AtWork]) -> Iterator[str]:
    """A line for each run that makes layers now."""
    for run in runs:
        yield f"at work: {run.holder}" + (f", on {', '.join(run.layers)}" if run.layers else "")


def _with_path(problem: QuarantinedFile) -> str:
    """The reason of a problem, with the file's path unless the reason contains it."""
    return problem.reason if problem.path in problem.reason else f"{problem.path}: {problem.reason}"


def ingest_words(report: IngestReport) -> list[str]:
    """Lines for people: the counts, each file that is not used, and each file that is quarantined but not accepted."""
    lines = [
        f"{report.found} files: {report.new} new, {report.changed} changed, {report.unchanged} unchanged, "
        f"{report.quarantined} quarantined; {report.ineligible} ineligible; {report.memberships} memberships written"
        + (f"; {report.left_out} left out" if report.left_out else "")
    ]
    for path, active in report.passive.items():
        lines.append(f"not used: {path} (preferred is {active}: {report.why_passive[path]})")
    return lines + file_words("quarantined", report.problems)


def growth_words(report: IngestReport) -> list[str]:
    """A line for each registered visit that makes canvases grow absurdly."""
    return [f"absurd canvas: {one}" for one in report.stretching]


def file_words(what: str, files: Iterable[QuarantinedFile]) -> list[str]:
    """A line for each file that cannot be used and is not accepted; a known one has the day when it was first seen."""
    return [
        f"{what}: {_with_path(file)}" if file.new else f"still {what}, since {file.first_seen[:10]}: {_with_path(file)}"
        for file in files
        if not file.accepted
    ]


def plan_json(outlook: Outlook) -> dict[str, Any]:
    """The JSON object of `status`; `stale_layers` includes orphans, with the action `remove`.

    Layers that wait for files are listed separately, with the action that follows when the files are there.
    """
    return {
        "layers": outlook.layers,
        "fresh": outlook.plan.fresh,
        "stale": outlook.stale,
        "orphaned": outlook.orphaned,
        "waiting": outlook.waiting,
        "stale_layers": [_line_json(line) for line in outlook.plan.layers if not line.n_waiting],
        "waiting_layers": [
            _line_json(line) | {"n_waiting": line.n_waiting} for line in outlook.plan.layers if line.n_waiting
        ],
    }


def _line_json(line: PlannedLayer) -> dict[str, Any]:
    return {
        "layer": line.name,
        "skycell": line.skycell,
        "action": str(line.action),
        "reasons": [asdict(reason) for reason in line.reasons],
    }


def plan_words(outlook: Outlook) -> Iterator[str]:
    """One line per stale layer, with the action and the reasons, and at the end the counts."""
    before, words = None, ""
    for line in outlook.plan.layers:
        if line.n_waiting:
            yield f"{line.name}: waits for the files of {_exposures(line.n_waiting)}"
            continue
        if before is None or line.reasons is not before.reasons or line.action is not before.action:
            before, words = line, _action_words(line)  # perhaps a million layers were never made, for the same reasons
        yield f"{line.name}: {words}"
    sums = f"{outlook.layers} layers: {outlook.plan.fresh} fresh, {outlook.stale} stale, {outlook.orphaned} orphaned"
    yield sums + (f", {outlook.waiting} waiting for files" if outlook.waiting else "")


def _exposures(number: int) -> str:
    return f"{number} exposure{'s' if number > 1 else ''}"


def warning_words(warnings: Mapping[str, int]) -> Iterator[str]:
    """One line per kind of warning: how many exposures have it, and how they are listed."""
    for kind, number in warnings.items():
        words = KINDS[kind]
        listed = f"mvmdb query \"SELECT ipppssoo, warnings FROM exposure WHERE warnings LIKE '%{words}%'\""
        yield f"warning: {_exposures(number)}: {words}; list: {listed}"


def plan_line(line: PlannedLayer) -> str:
    """One layer of a plan in one line: `<layer>: <action>: <reasons>`."""
    if line.n_waiting:
        return f"{line.name}: waits for the files of {_exposures(line.n_waiting)}; then {_action_words(line)}"
    return f"{line.name}: {_action_words(line)}"


def _action_words(line: PlannedLayer) -> str:
    return f"{line.action}: {reasons_words(line.reasons)}"


def reasons_words(reasons: tuple[Reason, ...]) -> str:
    """Reasons grouped by code, each with its exposures (by name if at most three), its detail, or both.

    Of several exposures with unlike details, the first one's is shown.
    """
    by_code: dict[str, list[Reason]] = {}
    for reason in reasons:
        by_code.setdefault(str(reason.code), []).append(reason)
    parts = []
    for code, group in by_code.items():
        names = [reason.exposure for reason in group if reason.exposure]
        who = f"{len(names)} exposures: {names[0]} to {names[-1]}" if len(names) > 3 else ", ".join(names)
        details = list(dict.fromkeys(reason.detail for reason in group if reason.detail))
        more = ", and others" if len(details) > 1 else ""
        about = ": ".join(part for part in (who, (details or [""])[0] + more) if part)
        parts.append(f"{code} ({about})" if about else code)
    return "; ".join(parts) or "asked for"


def reconcile_json(report: ReconcileReport) -> dict[str, Any]:
    """The JSON object of `reconcile` and `process`; `refused` maps exposures that cannot be used to the reason,
    and `elsewhere` layers that another run was making to that run.
    """
    counts = ("drizzled", "added", "recanvased", "shifted", "rescaled", "removed", "failed", "waiting", "seconds")
    layers = [
        {
            "layer": done.layer,
            "action": str(done.action),
            "product": done.product,
            "seconds": done.seconds,
            "error": done.error or None,
        }
        for done in report.layers
    ]
    rest = {
        "layers": layers,
        "refused": report.refused,
        "warnings": report.warnings,
        "problems": report.problems,
        "elsewhere": report.elsewhere,
        "companions": report.companions,
        "companion_problems": report.companion_problems,
    }
    return {name: getattr(report, name) for name in counts} | rest


def reconcile_words(report: ReconcileReport) -> list[str]:
    """Lines for people: what was done for each layer, or why it failed, and at the end the counts."""
    lines = []
    for done in sorted(report.layers, key=lambda done: done.layer):
        lines.append(
            f"{done.layer}: failed: {done.error}"
            if done.error
            else f"{done.layer}: {done.action}, {done.seconds:.1f} s"
        )
    lines += [f"left out: {name}: {why}" for name, why in sorted(report.refused.items())]
    lines += [f"warning: {name}: {words}" for name, words in sorted(report.warnings.items())]
    lines += [f"problem: {problem}" for problem in report.problems]
    lines += [f"warning: {problem}" for problem in report.companion_problems]
    lines += [f"left to another run: {layer} ({holder})" for layer, holder in report.elsewhere.items()]
    lines.append(
        f"{report.drizzled} drizzled, {report.added} added to, {report.recanvased} recanvased, "
        + (f"{report.rescaled} rescaled, " if report.rescaled else "")
        + f"{report.removed} removed, {report.failed} failed"
        + (f", {report.shifted} shifted to the solved sky" if report.shifted else "")
        + (f", {report.waiting} waiting for files" if report.waiting else "")
        + (f"; {report.companions} files made beside products" if report.companions else "")
    )
    return lines


def beside_words(report: ReconcileReport) -> list[str]:
    """A line for each file that was taken from the poller's folder, since its path in the poller is not there."""
    return [f"taken from beside the poller: {path} ({name} is not there)" for name, path in report.beside.items()]


def stage_words(report: StageReport) -> list[str]:
    """The lines of `stage`: what each sky cell's folder has, and what is wrong with it."""
    lines = []
    for cell in report.cells:
        lines.append(f"{cell.folder}: {cell.files} files, {cell.put} of them put now")
        if cell.problem:
            lines.append(f"problem: {cell.problem}; no poller file was written for {cell.skycell}")
            continue
        lines[-1] += f"; {cell.poller.rpartition('/')[2]} has {cell.new} NEW rows"
        if not cell.new:
            lines.append(
                f"{cell.skycell}: nothing is stale, so drizzlepac has nothing to do; --full marks all rows NEW"
            )
        if cell.unneeded:
            lines.append(f"{cell.skycell}: the poller names no more: {', '.join(cell.unneeded)}")
    return lines
