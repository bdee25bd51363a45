"""The words and the JSON value of a verification."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import TYPE_CHECKING, Any

from mvmdb.catalog.check.finding import MEANINGS, Finding

if TYPE_CHECKING:
    from mvmdb.verify.run import Report


def verify_json(report: Report, *, deep: bool) -> dict[str, Any]:
    """The JSON object of `verify`."""
    looked = report.looked
    return {
        "checked": {
            "exposures": looked.exposures,
            "skycells": looked.cells,
            "products": looked.products,
            "files": looked.files,
        },
        "deep": deep,
        "problems": [_finding_json(finding, finding in report.repaired) for finding in report.findings],
        "repaired": len(report.repaired),
        "known_losses": report.known_losses,
        "seconds": report.seconds,
    }


def _finding_json(finding: Finding, repaired: bool) -> dict[str, Any]:
    words = MEANINGS[finding.kind]
    subjects = {name: getattr(finding, name) or None for name in ("layer", "exposure", "skycell", "path", "table")}
    return {
        "kind": str(finding.kind),
        **subjects,
        "detail": _detail(finding),
        "found": finding.found,
        "expected": finding.expected,
        "meaning": words.meaning,
        "repair": words.repair or None,
        "remedy": words.remedy,
        "repaired": repaired,
    }


def _detail(finding: Finding) -> str:
    return f"found {finding.found}; expected {finding.expected}"


def verify_words(report: Report) -> Iterator[str]:
    """Findings grouped by kind, with what each kind means and what is to be done, and at the end the counts."""
    for kind, group in groupby(report.findings, key=lambda finding: finding.kind):
        words, findings = MEANINGS[kind], list(group)
        yield f"{kind} ({len(findings)}): {words.meaning}"
        for finding in findings:
            mended = "repaired: " if finding in report.repaired else ""
            yield f"  {mended}{_place(finding)}: {_detail(finding)}"
        if any(finding not in report.repaired for finding in findings):
            if words.repair:
                yield f"  --repair: {words.repair}"
            yield f"  remedy: {words.remedy}"
    if report.known_losses:
        yield f"{report.known_losses} products are recorded as missing or damaged; mvmdb reconcile makes them again"
    looked = report.looked
    counts = f"{looked.exposures} exposures, {looked.cells} sky cells, {looked.products} products, {looked.files} files"
    left = f"{len(report.findings)} found, {len(report.repaired)} repaired" if report.findings else "nothing found"
    yield f"{counts}: {left}"


def _place(finding: Finding) -> str:
    """What a finding concerns: of an exposure in a sky cell, both; of a product, the file too if there is one."""
    first = finding.layer or finding.exposure or finding.skycell
    if finding.exposure and finding.skycell:
        first = f"{finding.exposure} in {finding.skycell}"
    return ", ".join(filter(None, [first, finding.path or finding.table]))
