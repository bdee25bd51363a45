"""The archive's methods that work: they register exposures, make mosaics and write poller files."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mvmdb.archive.access import Access, agreed_products, cell_keys, chosen_cells
from mvmdb.archive.companions import chosen_kinds, kinds_beside
from mvmdb.archive.recording import ATTENTION, DONE, call_of
from mvmdb.archive.values import Ingested, Night, Pollers, Reconciled, Staged
from mvmdb.catalog.narrow import Narrowing, require_known
from mvmdb.errors import UsageError
from mvmdb.records import Mark
from mvmdb.remote.address import require_local

if TYPE_CHECKING:
    from mvmdb.archive.pruning import Pruning
    from mvmdb.archive.searching import Texts
    from mvmdb.exposures.find import ExposurePaths
    from mvmdb.staging.copies import Link

PathLike = str | os.PathLike[str]


class Working(Access):
    """An archive's work."""

    def ingest(
        self,
        *paths: PathLike,
        programs: Sequence[str] = (),
        filters: Sequence[str] = (),
        skycells: Sequence[str] = (),
        prune: Pruning | None = None,
    ) -> Ingested:
        """Register FLT and FLC exposures: files, folders with their subfolders, and `@list` files.

        Unchanged files are not opened. A file that cannot be used is quarantined with the reason. Exposures outside the
        programs, filters and sky cells that are given are left out, and the next ingest reads them again. With `prune`,
        exposures leave whose files are gone from the folders that are given. A missing catalog is created. Raises
        UsageError if there are no exposures, InputError for a path that does not exist. The command `ingest`.
        """
        from mvmdb.catalog.exposures.ingest import ingest_files
        from mvmdb.catalog.exposures.prune import prune_exposures
        from mvmdb.exposures.find import find_exposures

        narrowing = Narrowing(tuple(programs), tuple(filters), cell_keys(skycells))
        texts = [os.fspath(path) for path in paths]
        found = find_exposures(texts)
        if not found.paths:
            raise no_exposures(texts, found)
        watched = None if prune is None else prune.watch(found.folders)
        call = call_of("ingest", *texts, programs=programs, filters=filters, skycells=skycells, prune=prune)
        with self._work.open() as workers, self._changing(call, create=True) as change:
            report = ingest_files(
                change.engine, found.paths, narrowing=narrowing, stamps=found.stamps, workers=workers,
                monitor=self._monitor,
            )  # fmt: skip
            pruned = None
            if watched is not None:
                pruned = prune_exposures(change.engine, watched, frozenset(found.paths), narrowing=narrowing)
            done = Ingested(report, found, pruned)
            change.code = ATTENTION if done.attention else DONE
        return done

    def nightly(
        self,
        *paths: PathLike,
        products: PathLike | None = None,
        programs: Sequence[str] = (),
        filters: Sequence[str] = (),
        skycells: Sequence[str] = (),
        prune: Pruning | None = None,
        mark: Mark = "layer",
        available: bool = False,
        rebuild: bool = False,
        move: bool = False,
        wait: float = 0.0,
        beside: Texts | None = None,
    ) -> Night:
        """Do the night's work in one run: ingest, reconcile, and write the poller files of the sky cells concerned.

        Arguments as for `ingest`, `reconcile` and `poller`. No exposures at all are no error. Layers that failed again
        and again are left until they are due. The summary is kept in the catalog too. Raises as `reconcile`. The
        command `nightly`.
        """
        from mvmdb.catalog.ask.night import save_report, summarize_night
        from mvmdb.exposures.find import find_exposures
        from mvmdb.nightly import run_night
        from mvmdb.reconcile.layer_jobs import Options

        texts = [os.fspath(path) for path in paths]
        found = find_exposures(texts)
        narrowing = Narrowing(tuple(programs), tuple(filters))
        given = None if beside is None else chosen_kinds(beside)
        watched = None if prune is None else prune.watch(found.folders)
        call = call_of("nightly", *texts, products=products, programs=programs, filters=filters, skycells=skycells,
                       prune=prune, available=available, rebuild=rebuild, move=move, beside=given)  # fmt: skip
        with self._work.open() as workers, self._changing(call, create=True, check=True) as change:
            folder = agreed_products(change.engine, _path(products), rebuild=rebuild, move=move)
            chosen = Options(
                cell_keys(skycells), available=available, move=move, patient=True, wait=wait, narrowing=narrowing,
                beside=kinds_beside(change.engine, given),
            )  # fmt: skip
            report = run_night(
                change.engine, found.paths, folder, change.policy, options=chosen, mark=mark, folders=found.folders,
                stamps=found.stamps, watched=watched,
                workers=workers, monitor=self._monitor,
            )  # fmt: skip
            problems = [*report.poller_problems, *report.gone, *report.reconcile.problems]
            resting = report.reconcile.resting.values()
            summary = summarize_night(
                change.engine, change.run, resting=resting, problems=problems, left_alone=report.left_alone,
                unmade=report.reconcile.companion_problems,
            )  # fmt: skip
            save_report(change.engine, change.run, summary)
            night = Night(report, summary, change.run, found)
            change.code = ATTENTION if night.attention else DONE
        return night

    def reconcile(
        self,
        *,
        products: PathLike | None = None,
        programs: Sequence[str] = (),
        filters: Sequence[str] = (),
        skycells: Sequence[str] = (),
        full: bool = False,
        resky: bool = False,
        available: bool = False,
        rebuild: bool = False,
        move: bool = False,
        wait: float = 0.0,
        beside: Texts | None = None,
    ) -> Reconciled:
        """Make every stale layer fresh, and remove mosaics of layers that are no longer expected.

        `products`: the folder (None: the recorded one). `full`: drizzle all layers, fresh ones too; `resky`: as `full`,
        and match the skies of all members again. `available`: make layers that wait for files from the members that
        have one. `rebuild`: make mosaics again even if most of them are missing; `move`: use this folder although
        another one is recorded. `wait`: for how many seconds to wait for another run. A layer that failed stays stale.
        `beside`: kinds of files to keep beside products, as for `companions` (None: as the archive is configured).

        Raises UsageError if the folder does not look right, BusyError if another run works on it, WorkersError if the
        workers are lost. The command `reconcile`.
        """
        from mvmdb.reconcile.layer_jobs import Options
        from mvmdb.reconcile.run import reconcile

        given = None if beside is None else chosen_kinds(beside)
        narrowing = Narrowing(tuple(programs), tuple(filters))
        call = call_of("reconcile", products=products, programs=programs, filters=filters, skycells=skycells, full=full,
                       resky=resky, available=available, rebuild=rebuild, move=move, beside=given)  # fmt: skip
        with self._work.open() as workers, self._changing(call) as change:
            cells = chosen_cells(change.engine.begin, skycells)
            with change.engine.begin() as connection:
                require_known(connection, narrowing)
            chosen = Options(
                cells, full=full, resky=resky, available=available, move=move, narrowing=narrowing, wait=wait,
                beside=kinds_beside(change.engine, given),
            )  # fmt: skip
            folder = agreed_products(change.engine, _path(products), rebuild=rebuild, move=move)
            report = reconcile(change.engine, folder, change.policy, chosen, workers=workers, monitor=self._monitor)
            done = Reconciled(report)
            change.code = ATTENTION if done.attention else DONE
        return done

    def poller(
        self,
        skycells: Sequence[str] = (),
        *,
        output: PathLike | None = None,
        everything: bool = False,
        basic: bool = False,
        mark: Mark = "layer",
        wait: float = 0.0,
    ) -> Pollers:
        """Write `<skycell>_input.out` for these sky cells, or for every one with a stale layer, or for all.

        The files go to `output/<skycell>/` (None: the products folder). The rows of stale layers are marked NEW, all
        others OLD; with the mark `exposure`, only the exposures that a mosaic does not contain yet. `basic`: one path
        per line. Raises BusyError if another run works on the folder. The command `poller`.
        """
        from mvmdb.catalog.ask.cells import all_cells
        from mvmdb.catalog.due_pollers import note_behind
        from mvmdb.catalog.open import as_recorded
        from mvmdb.catalog.settings import products_folder, recorded_products_folder
        from mvmdb.jobs.lock import claim_folder
        from mvmdb.pollers.write import planned_cells, write_pollers

        with self._looking(skycells) as (outlook, begin, _):
            keys = chosen_cells(as_recorded(begin), skycells)
            if keys is None and everything:
                with begin() as connection:
                    keys = all_cells(connection)
            with as_recorded(begin)() as connection:
                folder = _path(output) or products_folder(connection, None)
                if folder.absolute() == recorded_products_folder(connection):  # so that the next run updates them
                    note_behind(connection, planned_cells(outlook.plan) if keys is None else keys)
            with claim_folder(folder, wait=wait):
                written = write_pollers(begin, outlook.plan, folder, mark, cells=keys, basic=basic)
        return Pollers(written, outlook.waiting)

    def stage(
        self,
        skycells: Sequence[str] = (),
        output: PathLike = "staged",
        *,
        full: bool = False,
        link: Link = "copy",
        wait: float = 0.0,
    ) -> Staged:
        """Fill `output/<skycell>/` with the files of every row, OLD ones too, and the poller file, for drizzlepac.

        For these sky cells, or for every one with a stale layer. The files get the names of the archive's pollers, and
        share blocks with the exposures where the file system can, until one is changed. `link`: `copy`, or `hard` or
        `symbolic` links, through which drizzlepac would write into the exposures; files elsewhere are fetched. `full`:
        mark every row NEW. A second call puts what is missing or has changed. Raises UsageError for the products
        folder, BusyError if another run works on the folder. The command `stage`.
        """
        from mvmdb.catalog.ask.members import load_layer_exposures, load_stamps
        from mvmdb.catalog.open import as_recorded
        from mvmdb.catalog.settings import recorded_products_folder
        from mvmdb.jobs.lock import claim_folder
        from mvmdb.pollers.write import planned_cells
        from mvmdb.staging.plan import plan_cells
        from mvmdb.staging.stage import stage

        folder = require_local(output).absolute()
        with self._looking(skycells) as (outlook, begin, _):
            with as_recorded(begin)() as connection:
                products = recorded_products_folder(connection)
            if products is not None and products.resolve() == folder.resolve():
                raise UsageError(
                    f"{output} is the products folder, where drizzlepac would overwrite mosaics; give another one: "
                    "-o DIR"
                )
            keys = chosen_cells(as_recorded(begin), skycells) or planned_cells(outlook.plan)
            with begin() as connection:
                exposures = load_layer_exposures(connection, keys)
                recorded = load_stamps(connection, {one.path for one in exposures})
            planned = plan_cells(exposures, outlook.plan, recorded, all_new=full)
        with claim_folder(folder, wait=wait), self._work.caching():
            return Staged(stage(planned, folder, link, monitor=self._monitor), outlook.waiting)


def _path(given: PathLike | None) -> Path | None:
    return None if given is None else require_local(given)


def no_exposures(texts: Sequence[str], found: ExposurePaths) -> UsageError:
    """What is wrong where these paths stand for no exposures."""
    away = ", ".join(found.unreadable_folders)
    return UsageError(
        f"no exposures in {', '.join(texts)}; expected files named *_flt.fits, *_flc.fits or *_c0m.fits: check the path"
        + (f"; cannot read the folder {away}: make it readable" if away else "")
    )
