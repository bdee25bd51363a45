"""Makes the files beside products that are due, and removes those whose products are gone or have changed.

A file that cannot be made stops nothing: it is reported, and is due again in the next run.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from mvmdb.atomic import remove_file
from mvmdb.catalog.ask.contributing import load_held
from mvmdb.catalog.open import Begin
from mvmdb.catalog.products.observed import RecordedProduct, load_products_of
from mvmdb.companions.due import CompanionJob, Output, find_due
from mvmdb.companions.kinds import KINDS, Sources
from mvmdb.errors import MvmdbError, WorkersError
from mvmdb.mosaic.product.folders import list_cell_folders
from mvmdb.names import parse_product_name
from mvmdb.records import Proof
from mvmdb.workers.executor import Workers

log = logging.getLogger(__name__)

_CELLS_AT_ONCE = 500


@dataclass(slots=True)
class CompanionReport:
    """What was done: the paths of the files that were `made` and `removed`, and a line for each that could not be."""

    made: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


class _Result(NamedTuple):
    """How one file fared: its path, and why it could not be made, if it could not."""

    target: str
    problem: str = ""


def keep_companions(
    begin: Begin,
    products: Path,
    kinds: Collection[str],
    workers: Workers,
    *,
    cells: Collection[str] | None = None,
    doubted: Collection[str] = (),
) -> CompanionReport:
    """Bring the files of these kinds beside the recorded products up to date, in these sky cells (names) or in all.

    Workers make them, each from its mosaics alone, so that it does no harm if two runs make the same file. In `doubted`
    sky cells, files are opened that were written after their mosaics: an older mosaic may have been put back.
    """
    report = CompanionReport()
    chosen = sorted(list_cell_folders(products) if cells is None else cells)
    jobs = _find_jobs(begin, products, kinds, chosen, doubted, report)
    first = next(jobs, None)
    if first is not None:
        _make_all(first, jobs, workers, report)
    for problem in report.problems:
        log.warning("%s", problem)
    return report


def _make_all(first: CompanionJob, jobs: Iterator[CompanionJob], workers: Workers, report: CompanionReport) -> None:
    def all_jobs() -> Iterator[CompanionJob]:
        yield first
        yield from jobs

    try:
        for done in workers.executor.each(make_companions, all_jobs(), expected=2, name=_name):
            if isinstance(done.result, WorkersError):
                report.problems += [f"{output.target} is not made: {done.result}" for output in done.item.outputs]
                continue
            for target, problem in done.result:
                if problem:
                    report.problems.append(f"{target} is not made: {problem}")
                else:
                    log.info("wrote %s", target)
                    report.made.append(target)
    except WorkersError as error:
        report.problems.append(f"files beside products are not made: {error}")


def _name(job: CompanionJob) -> str:
    return job.outputs[0].target


def make_companions(job: CompanionJob) -> list[_Result]:
    """Make the files of a job; what goes wrong with one of them does not keep the others from being made."""
    sources = Sources(tuple(Path(source) for source in job.sources), job.held)
    return [_make(output, sources) for output in job.outputs]


def _make(output: Output, sources: Sources) -> _Result:
    try:
        KINDS[output.kind].make(sources, Path(output.target), output.mark)
    except MvmdbError as error:
        return _Result(output.target, str(error))
    except Exception as error:  # a surprise in one file must not stop the night
        log.info("", exc_info=True)
        return _Result(output.target, f"{type(error).__name__}: {error}")
    return _Result(output.target)


def _find_jobs(
    begin: Begin,
    products: Path,
    kinds: Collection[str],
    cells: Sequence[str],
    doubted: Collection[str],
    report: CompanionReport,
) -> Iterator[CompanionJob]:
    """The files to make in sky cells; those to be removed are removed on the way."""
    for first in range(0, len(cells), _CELLS_AT_ONCE):
        some = cells[first : first + _CELLS_AT_ONCE]
        with begin() as connection:
            recorded = load_products_of(connection, some)
        for cell in some:
            listed = recorded.get(cell, [])
            foreign = {product.filename for product in listed if product.proof != Proof.PROVEN}
            for job in _find_in_cell(products, cell, listed, kinds, cell in doubted, report):
                yield _with_members(begin, job, foreign)


def _with_members(begin: Begin, job: CompanionJob, foreign: Collection[str]) -> CompanionJob:
    """The job with what the catalog knows of its members, if their list of another program lacks footprints."""
    name = Path(job.sources[0]).name
    if name not in foreign or not any(KINDS[output.kind].of_members for output in job.outputs):
        return job
    with begin() as connection:
        return replace(job, held=load_held(connection, parse_product_name(name)[0]))


def _find_in_cell(
    products: Path,
    skycell: str,
    recorded: Sequence[RecordedProduct],
    kinds: Collection[str],
    thorough: bool,
    report: CompanionReport,
) -> Iterator[CompanionJob]:
    try:
        due = find_due(products, skycell, recorded, kinds, thorough=thorough, settle=True)
        for path in due.extra:
            remove_file(path)
            log.info("removed %s, whose mosaic is gone or has changed", path)
            report.removed.append(str(path))
    except OSError as error:
        report.problems.append(
            f"files beside the products in {products / skycell} are not kept: {error.strerror or error}"
        )
        return
    yield from due.jobs
