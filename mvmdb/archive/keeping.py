"""The archive's methods that keep it true: verify, adopt, rebuild, and exposures from tables."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from itertools import chain
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

from mvmdb.archive.access import Access, agreed_products, chosen_cells
from mvmdb.archive.recording import ATTENTION, DONE, call_of
from mvmdb.archive.values import Imported, Rebuilt
from mvmdb.archive.working import PathLike, no_exposures
from mvmdb.catalog.open import Engine, check_file, open_catalog
from mvmdb.errors import UsageError
from mvmdb.remote.address import require_local

if TYPE_CHECKING:
    from mvmdb.reconcile.adopt import AdoptReport
    from mvmdb.tables.formats.source import Format
    from mvmdb.verify.run import Report


class Keeping(Access):
    """How an archive is kept true to its files."""

    def verify(
        self,
        skycells: Sequence[str] = (),
        *,
        deep: bool = False,
        repair: bool = False,
        rebuild: bool = False,
        wait: float = 0.0,
    ) -> Report:
        """Compare the catalog with itself, with the products and with the exposures.

        Without `deep` no pixels are read: rows are compared with what follows from other rows, files with their size
        and time. `repair` mends what has one right answer: it never touches an exposure, never makes a mosaic, and
        removes no file but temporary ones; then `rebuild` and `wait` are as for `reconcile`. The command `verify`.
        """
        from mvmdb.catalog.check.select import EVERYTHING, part_of_cells
        from mvmdb.catalog.settings import read_policy, recorded_products_folder
        from mvmdb.jobs.lock import claim_folder
        from mvmdb.verify.look import Inspected
        from mvmdb.verify.run import verify

        with ExitStack() as stack:
            workers = stack.enter_context(self._work.open()) if deep else None
            engine = stack.enter_context(self._verifying(repair, deep=deep))
            check_file(engine, thorough=deep)
            with engine.begin() as connection:
                policy, folder = read_policy(connection), recorded_products_folder(connection)
            keys = chosen_cells(engine.begin, skycells)
            part = EVERYTHING if keys is None else part_of_cells(engine.begin, keys)
            left_before = None
            if repair and folder is not None:
                agreed_products(engine, None, rebuild=rebuild, move=False)
                left_before = stack.enter_context(claim_folder(folder, wait=wait)).taken_ns
            inspected = Inspected(engine.begin, policy, folder, workers, self._monitor, left_before)
            return verify(inspected, part, mend=engine if repair else None)

    @contextmanager
    def _verifying(self, repair: bool, *, deep: bool) -> Iterator[Engine]:
        """The catalog, read-only unless something is to be repaired, which is a run of the history."""
        if not repair:
            with open_catalog(self.address, read_only=True) as engine:
                yield engine
            return
        with self._changing(call_of("verify", deep=deep, repair=True)) as change:
            yield change.engine

    def adopt(self, folder: PathLike, *, trust: bool = False, wait: float = 0.0) -> AdoptReport:
        """Take mosaics below a folder, made by mvmdb or by drizzlepac, as products of this catalog.

        Mosaics in another folder than the products folder are copied to their places there. Those of drizzlepac do not
        say which pixels of an exposure they hold: their layers are stale until they are made anew, or, with `trust`,
        count as fresh until a member, its pixels or WCS, or the canvas changes. Raises UsageError if it is no folder,
        BusyError if another run works on the products folder. The command `adopt`.
        """
        from mvmdb.catalog.settings import products_folder
        from mvmdb.reconcile.adopt import adopt_products

        source = require_local(folder)
        if not source.is_dir():
            raise UsageError(f"{source} is no folder; expected one with mosaics: check the path")
        with self._changing(call_of("adopt", str(folder), trust=trust)) as change:
            with change.engine.begin() as connection:
                products = products_folder(connection, None)
            report = adopt_products(change.engine, source.absolute(), products, change.policy, trust=trust, wait=wait)
            change.code = ATTENTION if report.left else DONE
        return report

    def rebuild(self, *paths: PathLike, products: PathLike | None) -> Rebuilt:
        """Fill this catalog, which is empty, from exposures (as for `ingest`) and the products of a lost one.

        Configuration, withdrawals and accepted files come from mvmdb-decisions.json in the products folder. History,
        the measured skies of pairs, and exposures that are known from tables alone do not come back. Raises UsageError
        if the catalog is not empty, or a folder is missing. The command `rebuild`.
        """
        from mvmdb.catalog.decisions.keep import read_decisions
        from mvmdb.exposures.find import find_exposures
        from mvmdb.rebuild import rebuild, require_empty

        if products is None:
            raise UsageError(
                "no products folder is given; expected -o DIR: give the folder of the lost catalog's products"
            )
        folder = require_local(products).absolute()
        if not folder.is_dir():
            raise UsageError(
                f"{folder} is not there; expected the folder of the lost catalog's products: check the path"
            )
        decisions = read_decisions(folder)
        texts = [os.fspath(path) for path in paths]
        found = find_exposures(texts)
        if not found.paths:
            raise no_exposures(texts, found)
        call = call_of("rebuild", *texts, products=str(folder))
        with self._work.open() as workers, self._changing(call, create=True) as change:
            require_empty(change.engine)
            report = rebuild(
                change.engine, found.paths, folder, decisions=decisions, workers=workers, monitor=self._monitor
            )
            rebuilt = Rebuilt(report, found, folder)
            change.code = ATTENTION if rebuilt.attention else DONE
        return rebuilt

    def import_table(
        self,
        table: PathLike,
        *,
        mapping: Mapping[str, str] | None = None,
        form: Format | None = None,
        siaf: PathLike | None = None,
        problems: PathLike | None = None,
        progress: Callable[[int, int, int], object] = lambda done, length, rows: None,
    ) -> Imported:
        """Register footprints from a table: CSV, ECSV, VOTable, FITS or Parquet.

        Column names of ObsCore, MAST and the archive's HST search are recognized; `mapping` gives the columns of other
        fields. A row without s_region gets its footprint from ra, dec, pa_v3 and aperture, by the aperture file `siaf`
        (None: the one of the package pysiaf). Rows that cannot be used are listed in the file `problems` (None:
        TABLE.problems.csv in the current folder, if there are more than 20). A file that was ingested takes precedence
        over a row. `progress` is told how much of the table was read, of how much, and the rows. Raises InputError if
        the table as a whole is wrong. The command `import`.
        """
        from mvmdb.catalog.decisions.load import note_table
        from mvmdb.catalog.decisions.restore import settle_waiting
        from mvmdb.catalog.exposures.bulk_load import register_batches
        from mvmdb.catalog.exposures.quarantine import storable_path
        from mvmdb.tables.background import read_batches_in_background
        from mvmdb.tables.problems import ProblemList

        started, source, columns = monotonic(), require_local(table), dict(mapping or {})
        aperture_file = None if siaf is None else str(Path(siaf))
        listed = ProblemList(
            Path(f"{source.name}.problems.csv") if problems is None else Path(problems), always=problems is not None
        )
        rows = 0

        def step(done: int, length: int, count: int) -> None:
            nonlocal rows
            rows = count
            progress(done, length, count)

        call = call_of("import_table", str(table), mapping=columns, form=form, siaf=aperture_file)
        with listed:
            batches = read_batches_in_background(
                source, mapping=columns, form=form, siaf=aperture_file, report=listed.add, progress=step
            )
            first = next(batches, None)  # raises if the table as a whole is wrong, before a catalog is created
            with self._changing(call, create=True) as change:
                report = register_batches(change.engine, [] if first is None else chain([first], batches))
                words = storable_path(_recorded_words(source, columns, form, aperture_file))
                with change.engine.begin() as connection:
                    note_table(connection, words)
                settle_waiting(change.engine)
                imported = Imported(report, listed, rows, monotonic() - started)
                change.code = ATTENTION if imported.attention else DONE
        return imported


def _recorded_words(table: Path, mapping: Mapping[str, str], form: Format | None, siaf: str | None) -> str:
    """The command line that imports this table again from any folder, after `mvmdb import`."""
    words = [str(table.absolute())]
    words += [word for ours, theirs in mapping.items() for word in ("--map", f"{ours}={theirs}")]
    words += ["--format", form] if form else []
    words += ["--siaf", str(Path(siaf).absolute())] if siaf is not None else []
    return shlex.join(words)
