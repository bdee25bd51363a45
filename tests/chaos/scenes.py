"""Small archives before a command with something of every kind to do, which is run again and again from there."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
from archive import CELL, CENTER, Archive
from postgres import Server

from mvmdb.catalog.configure import initialise
from mvmdb.schema import open_engine
from mvmdb.schema import tables as t
from mvmdb.schema.versions import alembic_config

SHAPE = (20, 20)
ELSEWHERE = (139.088, -13.997)
"""The middle of another sky cell; one degree of declination north is in a third one."""


class Store(Protocol):
    """Where the catalog is, and how its start state is kept and brought back."""

    kind: str
    address: str

    def keep(self) -> None:
        """Keep the catalog as it is now."""
        ...

    def restore(self) -> None:
        """Bring it back as it was kept."""
        ...


class SqliteStore:
    """A file in the folder of the work, which is kept and brought back with it."""

    kind = "sqlite"

    def __init__(self, work: Path) -> None:
        self.address = str(work / "mvm.db")

    def keep(self) -> None:
        pass

    restore = keep


class PostgresStore:
    """A database, kept as a template."""

    kind = "postgresql"

    def __init__(self, server: Server, name: str) -> None:
        self.server, self.name = server, name
        server.run(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        server.run(f"CREATE DATABASE {name}")
        self.address = server.address(name)

    def keep(self) -> None:
        self._copy(self.name, f"{self.name}_kept")

    def restore(self) -> None:
        self._copy(f"{self.name}_kept", self.name)

    def _copy(self, source: str, target: str) -> None:
        for name in (target, source):
            self.server.drop_connections(name)
        self.server.run(f"DROP DATABASE IF EXISTS {target} WITH (FORCE)")
        self.server.run(f"CREATE DATABASE {target} TEMPLATE {source}")


class _Archive(Archive):
    """Its exposures are apart from what commands change."""

    @property
    def products(self) -> Path:
        return self.folder / "work" / "products"


@dataclass
class Scene:
    """An archive in its start state, and the words of the command that is run from there.

    Only what is below `work` changes: it holds products, and the catalog where that is a file. `inbox` stays. With
    `history_differs`, the history may show that a run was killed, such as that a mosaic was made twice. With
    `done_once`, the command is refused with these words if one that was killed had done everything.
    """

    name: str
    base: Path
    store: Store
    words: list[str] = field(default_factory=list)
    history_differs: bool = False
    done_once: str = ""

    def __post_init__(self) -> None:
        self.work, self.kept = self.base / "work", self.base / "kept"
        self.archive = _Archive(self.base, self.store.address)
        for folder in (self.work / "tmp", self.archive.inbox):
            folder.mkdir(parents=True)

    @property
    def products(self) -> Path:
        return self.archive.products

    def command(self, words: list[str] | None = None) -> list[str]:
        return ["--db", self.store.address, *(self.words if words is None else words)]

    @property
    def environ(self) -> dict[str, str]:
        return {"TMPDIR": str(self.work / "tmp")}

    def keep(self) -> None:
        """Make what is there now the start state."""
        shutil.copytree(self.work, self.kept)
        self.store.keep()

    def restore(self) -> None:
        """Bring the start state back."""
        shutil.rmtree(self.work)
        shutil.copytree(self.kept, self.work)
        self.store.restore()


def expose(scene: Scene, rootname: str, **options: object) -> Path:
    return scene.archive.expose(rootname, **({"shape": SHAPE} | options))


def prepare_first_night(scene: Scene) -> None:
    """Six layers in two sky cells; two members of the infrared ones overlap, so their skies are matched."""
    ra, dec = ELSEWHERE
    for n, name in enumerate(("ib6o04tuq", "ib6o04tvq", "ib6o04twq")):
        expose(scene, name, east=0.8 * n)
    for n, filters in enumerate(("F814W", "F606W", "F435W")):
        expose(scene, f"j8oz0{n}kpq", detector="WFC", filters=f"CLEAR1L;{filters}")
    expose(scene, "j8oz08kpq", detector="WFC", ra=ra, dec=dec)
    scene.archive.night()


def prepare_night(scene: Scene) -> None:
    """Every kind of work, of files, and of changes to pollers and manifests."""
    prepare_first_night(scene)
    ra, dec = ELSEWHERE
    expose(scene, "ib6o04txq", east=2.0)  # added; the cell's other layers get another canvas
    expose(scene, "j8oz00kpq", detector="WFC", kind="flc")  # drc takes the place of drz
    expose(scene, "j8oz03kpq", detector="WFC", filters="F475W;CLEAR2L")
    expose(scene, "j8oz03kqq", detector="WFC", filters="F475W;CLEAR2L", science=np.zeros(SHAPE))  # refused when read
    expose(scene, "j8oz09kpq", detector="WFC", ra=ra, dec=dec + 1)  # in a new sky cell
    (scene.archive.inbox / "ib6o99tuq_flt.fits").write_bytes(b"no exposure")
    scene.words = ["withdraw", "j8oz02kp", "j8oz08kp", "--why", "moved away"]
    call(scene)


def call(scene: Scene) -> None:
    from command_line import call as call_here

    code, _, error = call_here(scene.archive, *scene.words)
    assert code in (0, 1), error


def nightly(scene: Scene) -> None:
    prepare_night(scene)
    scene.words = ["nightly", str(scene.archive.inbox), "-o", str(scene.products)]


def reconcile(scene: Scene) -> None:
    prepare_night(scene)
    scene.archive.ingest()
    scene.words = ["reconcile", "-o", str(scene.products)]


def full_reconcile(scene: Scene) -> None:
    """Everything is made anew, with new skies."""
    prepare_night(scene)
    scene.archive.ingest()
    scene.words = ["reconcile", "--full", "-o", str(scene.products)]
    scene.history_differs = True


def adopt(scene: Scene) -> None:
    """Mosaics of another catalog are copied into an empty products folder."""
    prepare_first_night(scene)
    scene.products.rename(scene.base / "elsewhere")
    scene.archive.lose_catalog()
    initialise(scene.store.address, rule=None, products=scene.products)
    scene.archive.ingest()
    scene.words = ["adopt", str(scene.base / "elsewhere")]


def rebuild(scene: Scene) -> None:
    """A lost catalog comes back, with a withdrawal."""
    prepare_first_night(scene)
    scene.words = ["withdraw", "j8oz02kp", "--why", "moved away"]
    call(scene)
    scene.archive.lose_catalog()
    scene.words = ["rebuild", str(scene.archive.inbox), "-o", str(scene.products)]
    scene.done_once = "this catalog is not empty"


def repair(scene: Scene) -> None:
    """Something of every kind that has one right answer: rows, a product, a manifest, a temporary file."""
    prepare_first_night(scene)
    for path in (*scene.products.glob("*/*f606w_all_drz.fits"), *scene.products.glob("*p1000*/*_manifest.txt")):
        path.unlink()
    next(scene.products.glob("*/*f125w_all_trl.txt")).unlink()
    next(scene.products.glob("*/*f435w_all_drz.fits")).write_bytes(b"cut short")
    (scene.products / f".{CELL}.4711.tmp").write_bytes(b"")
    engine = open_engine(scene.store.address)
    with engine.begin() as connection:
        connection.execute(t.layer.update().where(t.layer.c.filter == "f125w").values(n_exposures=7))
        connection.execute(t.membership.delete().where(t.membership.c.exposure_id == 1))
    engine.dispose()
    scene.words = ["verify", "--repair"]
    scene.history_differs = True  # what was mended last before the kill may not be in it


def prune(scene: Scene) -> None:
    """Exposures leave whose files are gone."""
    prepare_first_night(scene)
    for name in ("ib6o04tvq", "j8oz08kpq"):
        next(scene.archive.inbox.glob(f"{name}*")).unlink()
    scene.words = ["ingest", str(scene.archive.inbox), "--prune", "--yes"]


def poller(scene: Scene) -> None:
    prepare_night(scene)
    scene.archive.ingest()
    scene.words = ["poller", "--all"]


def stage(scene: Scene) -> None:
    """A folder for drizzlepac, some of which is there already, and some of that outdated."""
    poller(scene)
    folder = scene.work / "staged"
    scene.words = ["stage", "--full", "-o", str(folder)]
    call(scene)
    staged = sorted(folder.rglob("hst_*.fits"))
    staged[0].unlink()
    staged[1].write_bytes(b"changed by drizzlepac")
    next(folder.rglob("*_input.out")).unlink()


def process(scene: Scene) -> None:
    """Mosaics of a poller file, without the catalog."""
    poller(scene)
    call(scene)
    source = scene.products / CELL / f"{CELL}_input.out"
    scene.words = ["process", str(source), "-o", str(scene.work / "again")]


def mosaic(scene: Scene) -> None:
    """Of a square, which the catalog does not record."""
    prepare_first_night(scene)
    place = [str(degrees) for degrees in CENTER]
    scene.words = ["mosaic", "--at", *place, "--size", "0.1", "--filter", "f125w", "-o", str(scene.work / "fields")]


def ingest(scene: Scene) -> None:
    prepare_night(scene)
    scene.words = ["ingest", str(scene.archive.inbox)]


def first_ingest(scene: Scene) -> None:
    """The catalog itself is made by it."""
    for n in range(6):
        expose(scene, f"ib6o04t{n}q", east=0.5 * n)
    scene.words = ["ingest", str(scene.archive.inbox)]


def withdraw(scene: Scene) -> None:
    prepare_night(scene)
    scene.words = ["withdraw", "ib6o04tw", "j8oz01kp", "--why", "moved away"]


def first_import(scene: Scene) -> None:
    """A table is loaded in bulk into a catalog that is made for it, with its indexes built last."""
    scene.words = ["import", str(write_table(scene.base / "table.csv", 300))]


def later_import(scene: Scene) -> None:
    prepare_first_night(scene)
    scene.words = ["import", str(write_table(scene.base / "table.csv", 40))]


def upgrade(scene: Scene) -> None:
    """A catalog of the first schema that a release had."""
    from alembic import command

    from mvmdb.schema.postgres import prepare_database

    engine = open_engine(scene.store.address, create=True)
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            prepare_database(connection)
        config = alembic_config()
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
    engine.dispose()
    scene.words = ["init", "--upgrade", "--products", str(scene.products)]


SCENES: dict[str, Callable[[Scene], None]] = {
    function.__name__.replace("_", "-"): function
    for function in (
        nightly, reconcile, full_reconcile, ingest, first_ingest, withdraw, first_import, later_import, adopt, rebuild,
        upgrade, repair, prune, poller, stage, process, mosaic,
    )
}  # fmt: skip


def make_scene(name: str, base: Path, store: Callable[[Path], Store]) -> Scene:
    """Prepare an archive in a new folder, and keep its start state."""
    scene = Scene(name, base, store(base / "work"))
    if name not in ("first-ingest", "first-import", "upgrade"):
        initialise(scene.store.address, rule=None, products=scene.products)
    SCENES[name](scene)
    scene.keep()
    return scene


def write_table(path: Path, n: int) -> Path:
    """A table of exposures with regions, in several sky cells."""
    names = "obs_id instrument_name filters t_exptime t_min t_max target_name proposal_id s_region dataproduct_type"
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(names.split())
        for i in range(n):
            east, north = 10 + 0.01 * (i % 20), 20 + 0.01 * (i // 20)
            corners = [(0, 0), (0.03, 0), (0.03, 0.03), (0, 0.03)]
            region = " ".join(f"{east + x:.3f} {north + y:.3f}" for x, y in corners)
            root = f"ib{i // 1296 % 36:x}{_digits(i)}01q"[:6].ljust(6, "0") + f"{_digits(i)[-2:]}q"
            writer.writerow([root, "WFC3/IR", "F125W", 100.5, 55000.25, 55000.5, "FIELD", 11359,
                             f"POLYGON ICRS {region}", "image"])  # fmt: skip
    return path


def _digits(number: int) -> str:
    letters = "0123456789abcdefghijklmnopqrstuvwxyz"
    return letters[number // 36 % 36] + letters[number % 36]
