"""Whether the files beside products are those of these products, and are there where they are wanted."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from mvmdb.catalog.check.finding import Damage, Finding
from mvmdb.catalog.open import Begin
from mvmdb.catalog.products.observed import load_products_of
from mvmdb.catalog.settings import beside
from mvmdb.companions.due import find_due
from mvmdb.companions.keep import keep_companions
from mvmdb.companions.kinds import KINDS
from mvmdb.workers.executor import Workers
from mvmdb.workers.processes import IN_THIS_PROCESS

_EXPECTED = "the file of its mosaic"


def check_companions(begin: Begin, products: Path, cells: Sequence[str], *, thorough: bool) -> Iterator[Finding]:
    """The findings beside the products of these sky cells (names); with `thorough`, every file is opened.

    Of a folder that cannot be read another finding tells.
    """
    with begin() as connection:
        kinds, recorded = _kinds(beside(connection)), load_products_of(connection, cells)
    for cell in cells:
        try:
            due = find_due(products, cell, recorded.get(cell, []), kinds, thorough=thorough)
        except OSError:
            continue
        for job in due.jobs:
            for output in job.outputs:
                yield _of(cell, output.target, output.found, _EXPECTED)
        for path in due.extra:
            yield _of(cell, str(path), "a file of another mosaic", "no file")


def mend_companions(
    begin: Begin, products: Path, findings: Collection[Finding], workers: Workers | None
) -> list[Finding]:
    """Make and remove files beside the products of the sky cells of these findings; return the findings mended.

    Workers make them (None: this process, as looking without them starts none).
    """
    if not findings:
        return []
    with begin() as connection:
        kinds = _kinds(beside(connection))
    cells = {finding.skycell for finding in findings}
    kept = keep_companions(begin, products, kinds, workers or IN_THIS_PROCESS, cells=cells, doubted=cells)
    done = {*kept.made, *kept.removed}
    return [finding for finding in findings if finding.path in done]


def _kinds(setting: str) -> list[str]:
    """The kinds in a setting that are known; of others, another finding tells."""
    return [kind for kind in setting.split(",") if kind in KINDS]


def _of(cell: str, path: str, found: str, expected: str) -> Finding:
    return Finding(Damage.COMPANION_WRONG, skycell=cell, path=path, found=found, expected=expected)
