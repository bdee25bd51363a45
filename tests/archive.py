"""A small archive for tests: an inbox of exposures, a catalog, a folder of products, and nights that work on them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import sqlalchemy as sa
from click.testing import CliRunner, Result
from fitsfiles import write_exposure

from mvmdb.catalog.configure import follow_environment, initialise
from mvmdb.catalog.exposures.ingest import IngestReport, ingest_files
from mvmdb.catalog.open import open_catalog
from mvmdb.catalog.settings import products_folder
from mvmdb.cli import commands
from mvmdb.exposures.find import find_exposures
from mvmdb.jobs.report import ReconcileReport
from mvmdb.nightly import NightReport, run_night
from mvmdb.reconcile.layer_jobs import Options
from mvmdb.reconcile.planning import Outlook, look_ahead
from mvmdb.reconcile.run import reconcile
from mvmdb.schema import tables as t
from mvmdb.workers.processes import IN_THIS_PROCESS

CENTER = (52.68, -26.0)
"""A position in the middle of one sky cell, and in no other: CELL."""

CELL = "skycell-p0726x11y11"
FINE = f"hst_{CELL}_wfc3_ir_f125w_all"
COARSE = f"hst_{CELL}_wfc3_ir_f125w_coarse-all"


@dataclass
class Archive:
    """One catalog at `address`, its inbox and its products; every call opens the catalog again, as commands do."""

    folder: Path
    address: str
    environ: dict[str, str] = field(default_factory=dict)

    @property
    def inbox(self) -> Path:
        return self.folder / "inbox"

    @property
    def products(self) -> Path:
        return self.folder / "products"

    def expose(self, rootname: str = "ib6o04tuq", *, east: float = 0.0, north: float = 0.0, **options: Any) -> Path:
        """Write an exposure into the inbox, shifted from CENTER by arcsec."""
        position = {"ra": CENTER[0] + east / 3600 / 0.8988, "dec": CENTER[1] + north / 3600}
        return write_exposure(options.pop("folder", self.inbox), rootname=rootname, **(position | options))

    def ingest(self, *paths: Path | str) -> IngestReport:
        found = find_exposures(paths or [self.inbox])
        self._put_catalog()
        with open_catalog(self.address, create=True) as engine:
            with engine.begin() as connection:
                follow_environment(connection, self.environ)
            return ingest_files(engine, found.paths, stamps=found.stamps, workers=IN_THIS_PROCESS)

    def night(self, *paths: Path | str) -> NightReport:
        found = find_exposures(paths or [self.inbox])
        listed = {"folders": found.folders, "stamps": found.stamps}
        self._put_catalog()
        with open_catalog(self.address, create=True) as engine:
            with engine.begin() as connection:
                policy = follow_environment(connection, self.environ)
                products = products_folder(connection, self.products)
            return run_night(engine, found.paths, products, policy, workers=IN_THIS_PROCESS, **listed)

    def _put_catalog(self) -> None:
        """Put an empty catalog where none is: a copy, in a tenth of the time that it takes to make one."""
        path = Path(self.address)
        if "://" not in self.address and not path.exists():
            path.write_bytes(empty_catalog())

    def reconcile(self, **options: Any) -> ReconcileReport:
        with open_catalog(self.address) as engine:
            with engine.begin() as connection:
                policy = follow_environment(connection, self.environ)
                products = products_folder(connection, self.products)
            return reconcile(engine, products, policy, Options(**options), workers=IN_THIS_PROCESS)

    def look(self, **options: Any) -> Outlook:
        with open_catalog(self.address) as engine:
            with engine.begin() as connection:
                policy = follow_environment(connection, self.environ)
            return look_ahead(engine.begin, self.products, policy, **options)

    def reasons(self, **options: Any) -> dict[str, list[tuple[str, str | None]]]:
        """(code, exposure) of every stale layer."""
        return {
            line.name: [(str(reason.code), reason.exposure) for reason in line.reasons]
            for line in self.look(**options).plan.layers
        }

    def actions(self) -> dict[str, str]:
        return {line.name: str(line.action) for line in self.look().plan.layers}

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with open_catalog(self.address) as engine, engine.connect() as connection:
            return [tuple(row) for row in connection.execute(sa.text(sql))]

    def exposure(self, ipppssoo: str) -> Any:
        with open_catalog(self.address) as engine, engine.connect() as connection:
            return connection.execute(sa.select(t.exposure).where(t.exposure.c.ipppssoo == ipppssoo)).one()

    def use_hap(self) -> None:
        """Let the catalog make mosaics by the method hap: new members do not move the skies of others there."""
        self._put_catalog()
        initialise(self.address, method="hap")

    def lose_catalog(self) -> None:
        """Delete the database, as a disk failure would; exposures and products are still there."""
        if "://" not in self.address:
            Path(self.address).unlink()
            return
        engine = sa.create_engine(self.address)
        with engine.begin() as connection:
            connection.exec_driver_sql("DROP SCHEMA public CASCADE")
            connection.exec_driver_sql("CREATE SCHEMA public")
        engine.dispose()

    def product_files(self) -> dict[str, tuple[int, int]]:
        """Size and time of every product file."""
        products = sorted(self.products.glob("skycell-*/*_dr[cz].fits"))
        return {path.name: (path.stat().st_size, path.stat().st_mtime_ns) for path in products}


@cache
def empty_catalog() -> bytes:
    """The file of an empty catalog on SQLite."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "mvm.db")
        with open_catalog(str(path), create=True):
            pass
        return path.read_bytes()


def call(archive: Archive, *words: str) -> Result:
    """Run a command on the archive's catalog, in this process."""
    return CliRunner().invoke(commands, ["--db", archive.address, *words])


def names_to_list(products: Iterable[str]) -> list[str]:
    """What a manifest lists, of products (names) that mvmdb made: these and the log of each layer, sorted."""
    names = list(products)
    return sorted([*names, *{f"{name.rsplit('_', 1)[0]}_trl.txt" for name in names}])
