"""One verification: looks, looks a second time at what was found, and mends what has one right answer if asked to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from time import monotonic

from mvmdb.catalog.check.finding import Damage, Finding
from mvmdb.catalog.check.select import EVERYTHING, Part, count_files, count_known_losses
from mvmdb.catalog.open import Engine
from mvmdb.errors import NameFormatError
from mvmdb.monitor import SILENT
from mvmdb.names import parse_cell_name
from mvmdb.verify.look import Inspected, Looked, look
from mvmdb.verify.repair import repair
from mvmdb.verify.repair_values import repair_values


@dataclass(frozen=True, slots=True)
class Report:
    """What a verification found, sorted, and which of it was mended; `looked` counts what was looked at.

    `known_losses` is the number of products that the catalog records as missing or damaged, which is no finding.
    """

    looked: Looked
    findings: tuple[Finding, ...]
    repaired: frozenset[Finding]
    known_losses: int
    seconds: float

    @property
    def left(self) -> int:
        """The number of findings that are not mended."""
        return len(self.findings) - len(self.repaired)


def verify(archive: Inspected, part: Part = EVERYTHING, *, mend: Engine | None = None) -> Report:
    """Verify a part of an archive; with an engine, mend what has one right answer.

    What was found is looked at a second time, in new transactions, and is reported if it is still so: another run may
    have changed it in between. To mend, the caller holds the lock of the products folder, and says in
    the archive since when.
    """
    started = monotonic()
    if archive.workers is not None:
        archive.monitor.files_announced(count_files(archive.begin, part))
    looked = look(archive, part)
    again = replace(archive, monitor=SILENT)
    findings = _still_found(again, looked.findings)
    repaired: frozenset[Finding] = frozenset()
    if mend is not None and any(finding.kind is Damage.VALUE_WRONG for finding in findings):
        repair_values(mend, again)
        known = {finding.key for finding in findings}  # what could not be read before is looked at now
        findings += [finding for finding in look(again, part).findings if finding.key not in known]
    if mend is not None and findings:
        touched = repair(mend, again, findings)
        left = {finding.key for finding in look(again, join_parts(part_of(findings), touched)).findings}
        repaired = frozenset(finding for finding in findings if finding.key not in left)
    with archive.begin() as connection:
        losses = count_known_losses(connection)
    order = list(Damage)
    findings.sort(key=lambda finding: (order.index(finding.kind), finding))
    return Report(looked, tuple(findings), repaired, losses, round(monotonic() - started, 3))


def _still_found(archive: Inspected, findings: list[Finding]) -> list[Finding]:
    if not findings:
        return []
    keys = {finding.key for finding in findings}
    return [finding for finding in look(archive, part_of(findings)).findings if finding.key in keys]


def part_of(findings: Iterable[Finding]) -> Part:
    """The part of the catalog that these findings concern."""
    found = list(findings)
    cells = set()
    for name in {finding.skycell for finding in found}:
        try:
            cells.add(parse_cell_name(name).index)
        except NameFormatError:  # none, or a key that no sky cell has
            continue
    return Part(
        frozenset(finding.exposure for finding in found if finding.exposure),
        frozenset(cells),
        frozenset(finding.layer for finding in found if finding.layer),
    )


def join_parts(first: Part, second: Part) -> Part:
    """Both of these parts, neither of which is everything."""
    pairs = ((getattr(first, name) or frozenset(), getattr(second, name) or frozenset()) for name in Part.__slots__)
    return Part(*(one | other for one, other in pairs))
