"""What `nightly` prints when it is done: the words and the plain values of a night."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from mvmdb.console.mixing import mixing_words
from mvmdb.console.night_report import comparison, resting_words
from mvmdb.console.pruning import prune_json, prune_words
from mvmdb.console.render import file_words, ingest_json, ingest_words, reconcile_json, reconcile_words

if TYPE_CHECKING:
    from mvmdb.nightly import NightReport


def night_json(report: NightReport) -> dict[str, Any]:
    """The JSON object of `nightly`, without the number of its run."""
    return {
        "ingest": ingest_json(report.ingest),
        **prune_json(report.prune),
        "vanished": [asdict(file) for file in report.vanished],
        "plan": {name: getattr(report, name) for name in ("fresh", "stale", "orphaned", "waiting")},
        "pollers": report.pollers,
        "planned_pollers": report.planned,
        "poller_problems": report.poller_problems + report.gone,
        "reconcile": reconcile_json(report.reconcile),
    }


def night_words(report: NightReport, summary: Mapping[str, Any]) -> list[str]:
    """Lines for people; `summary` is that of `summarize_night`."""
    waiting = f", {report.waiting} waiting for files" if report.waiting else ""
    lines = [*ingest_words(report.ingest), *prune_words(report.prune), *file_words("vanished", report.vanished)]
    lines.append(f"plan: {report.stale} stale, {report.fresh} fresh, {report.orphaned} orphaned{waiting}")
    lines += [f"poller: {path}" for path in report.pollers]
    lines += [f"poller not written: {problem}" for problem in report.poller_problems]
    lines += [f"problem: {line}" for line in report.gone]
    lines += reconcile_words(report.reconcile)
    lines += mixing_words(summary["astrometry"], " made")
    lines += [f"not tried: {resting_words(layer)}" for layer in summary["resting"]]
    return [*lines, comparison(summary)] if summary["failed"] or summary["last_night"]["mended"] else lines
