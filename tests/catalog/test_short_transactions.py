"""Nothing is read from files, and nothing is printed, while a transaction is open: others would wait for a slow disk,
or for somebody who has left a pager open."""

from __future__ import annotations

import io
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa
from archive import CELL, FINE, Archive
from click.testing import CliRunner
from skyfield import SkyField
from sqlalchemy import event

from mvmdb.cli import commands

NO_CATALOG = {"process", "demo", "schema", "serve"}
"""Commands without a catalog, or whose parts are those of others (demo: two nights; serve: page, and Datasette)."""
DATABASE = (".db", ".db-journal")
READING = ("open", "os.listdir", "os.scandir", "os.stat")


class Watch:
    """What was read in a folder, or printed, while a transaction was open. `on` while commands run."""

    def __init__(self) -> None:
        self.open: set[int] = set()
        self.offences: list[str] = []
        self.on = False
        self.folder = ""

    def began(self, connection: sa.Connection) -> None:
        options = connection.get_execution_options()
        if options.get("isolation_level") != "AUTOCOMMIT":  # which is no transaction, and here holds a lock alone
            self.open.add(id(connection))

    def ended(self, connection: sa.Connection) -> None:
        self.open.discard(id(connection))

    def heard(self, what: str, arguments: tuple[Any, ...]) -> None:
        if not (self.on and self.open and what in READING and isinstance(arguments[0], str | os.PathLike)):
            return
        path = os.path.abspath(os.fspath(arguments[0]))
        if path.startswith(self.folder) and not path.endswith(DATABASE):
            self.offences.append(f"{what} {path}")

    def printed(self, text: str) -> None:
        if self.on and self.open and text:
            self.offences.append(f"printed {text[:80]!r}")


WATCH = Watch()
sys.addaudithook(WATCH.heard)  # it cannot be removed, and hears nothing while it is off


def heard_look(look: Callable[..., Any], path: Any, *words: Any, **named: Any) -> Any:
    WATCH.heard("os.stat", (path,))
    return look(path, *words, **named)


@pytest.fixture
def watch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watch]:
    engine = sa.engine.Engine
    listeners: list[tuple[str, Callable[..., None]]] = [
        ("begin", WATCH.began), ("commit", WATCH.ended), ("rollback", WATCH.ended),
    ]  # fmt: skip
    for name, listener in listeners:
        event.listen(engine, name, listener)
    for name in ("stat", "lstat"):  # of which Python tells its hooks nothing
        monkeypatch.setattr(os, name, partial(heard_look, getattr(os, name)))
    write = io.TextIOWrapper.write

    class Heard(io.TextIOWrapper):
        def write(self, text: str) -> int:
            WATCH.printed(text)
            return write(self, text)

    monkeypatch.setattr("click.testing._NamedTextIOWrapper.write", Heard.write)
    WATCH.folder = str(tmp_path)
    WATCH.open.clear()
    WATCH.offences.clear()
    yield WATCH
    WATCH.on = False
    for name, listener in listeners:
        event.remove(engine, name, listener)


def run(archive: Archive, watch: Watch, *words: object, **environ: str) -> str:
    """Run a command under watch; its output."""
    watch.on = True
    done = CliRunner().invoke(commands, ["--db", archive.address, *map(str, words)], env=environ)
    watch.on = False
    assert done.exception is None or isinstance(done.exception, SystemExit), (words, done.exception)
    assert watch.offences == [], words
    return done.output


def table(folder: Path) -> Path:
    """A table of one exposure that no file is known of."""
    path = folder / "table.csv"
    region = "POLYGON ICRS 52.67 -26.01 52.69 -26.01 52.69 -25.99 52.67 -25.99"
    path.write_text(f"obs_id,instrument_name,filters,t_exptime,s_region\nib6o09tuq,WFC3/IR,F125W,100,{region}\n")
    return path


def test_no_command_reads_files_or_prints_while_a_transaction_is_open(archive: Archive, watch: Watch) -> None:
    archive.expose()
    lost = archive.expose("ib6o04twq", east=2)
    bad = archive.inbox / "ib6o05tuq_flt.fits"
    bad.write_text("nothing")
    other = {"MVM_ONLY_CTE": "on"}
    done = set()

    def run_one(*words: object, **environ: str) -> str:
        done.add(str(words[0]))
        return run(archive, watch, *words, **environ)

    run_one("init", "--products", archive.products, "--json")
    assert "2 new" in run_one("ingest", archive.inbox)
    assert "2 drizzled" in run_one("nightly", archive.inbox, "--jobs", 1)
    for path in archive.products.rglob("*_drz.fits"):
        os.utime(path)  # looked at anew
    for words in (("status", "--deep"), ("explain", FINE), ("explain", CELL), ("poller", CELL), ("cells", CELL)):
        assert run_one(*words) != ""
        assert run_one(*words, **other) != ""
    assert FINE in run_one("search", "layers", "--at", 52.68, -26.0)
    for format, ending in (("moc", "fits"), ("obscore", "vot"), ("parquet", "parquet"), ("geojson", "json")):
        assert "row" in run_one("coverage", "export", format, "-o", archive.folder / f"all.{ending}")
    for words in (("companions", "--beside", "jpg,exptime,exposures,color"), ("page", "-o", archive.folder / "map"),
                  ("coverage", "map", FINE, "-o", archive.folder / "maps"), ("astrometry",),
                  ("coverage", "--by", "filter"), ("coverage", "--at", 52.68, -26.0)):  # fmt: skip
        assert run_one(*words) != ""
    run_one("seams")
    assert "chips" in run_one("contributors", archive.products / CELL / f"{FINE}_drz.fits", 20, 20)
    run_one("plot", "layer", FINE, "-o", archive.folder / "layer.png")
    run_one("hips", "f125w", "-o", archive.folder / "tiles", "--scale", "coarse", "--order", 9, "--executor", "serial")
    for environ in ({}, other):
        assert "of them put now" in run_one("stage", CELL, "-o", archive.folder / f"staged{len(environ)}", **environ)
    assert "drizzle" in run_one("reconcile", "--dry-run", "-o", archive.folder / "elsewhere")
    run_one("quarantine")
    run_one("quarantine", "--accept", bad)
    archive.lose_catalog()  # the products are found and recorded again
    run_one("rebuild", archive.inbox, "-o", archive.products)
    assert "2 fresh" in run_one("status", "--deep")
    again = archive.expose("ib6o04twq", east=2, shape=(300, 300), folder=archive.folder / "later")
    run_one("ingest", again)
    run_one("reconcile", "--jobs", 1)
    # A recorded file that holds another exposure now: the exposure that it held takes its other file.
    archive.expose("ib6o06tuq", folder=archive.folder / "made").replace(again)
    run_one("ingest", again)
    lost.unlink()
    run_one("nightly", archive.inbox, "--jobs", 1)
    archive.expose("ib6o07tuq", science=np.zeros((64, 64), "f4"))  # empty, which its pixels alone tell
    run_one("nightly", archive.inbox, "--jobs", 1)
    run_one("mosaic", "--at", 52.68, -26.0, "--size", 0.2, "--filter", "f125w", "--jobs", 1, "-o", archive.folder)
    stars = SkyField(n=3).write_reference(archive.folder / "stars.csv")
    assert "refused: ib6o04tu" in run_one("align", CELL, "--reference", stars, "--executor", "serial")
    run_one("mosaic", "--at", 52.68, -26.0, "--size", 0.2, "--filter", "f125w", "-o", archive.folder / "x", **other)
    archive.products.rename(archive.folder / "moved")
    run_one("adopt", archive.folder / "moved")
    shutil.rmtree(archive.products)
    (archive.folder / "moved").rename(archive.products)
    run_one("import", table(archive.folder))
    run_one("withdraw", "ib6o04tu")
    run_one("readmit", "ib6o04tu")
    for form in ("--csv", "--nl", "--json"):
        run_one("query", "SELECT * FROM exposure", form)
    run_one("query", "SELECT * FROM exposure")
    for path in archive.products.glob("skycell-*/*.*"):
        path.write_bytes(b"") if path.suffix == ".out" else os.utime(path)
    with sa.create_engine(
        archive.address if "://" in archive.address else f"sqlite:///{archive.address}"
    ).begin() as it:
        it.execute(sa.text("UPDATE exposure SET program = 'XXX'"))
    assert "exposure-wrong" in run_one("verify")
    run_one("verify", "--deep", "--repair", "--executor", "serial")
    for words in (
        ("config",),
        ("history",),
        ("history", "--json"),
        ("history", "--layer", FINE),
        ("search", "exposures"),
    ):
        run_one(*words)
    assert done | NO_CATALOG == set(commands.commands), "a new command belongs into this test"


def test_the_watch_hears_what_it_is_to_hear(archive: Archive, watch: Watch) -> None:
    path = archive.expose()
    archive.ingest()
    engine = sa.create_engine("sqlite://")
    watch.on = True
    with engine.begin():
        path.read_bytes()
        os.listdir(archive.inbox)
        path.exists()
        watch.printed("text")
    path.read_bytes()
    watch.printed("text")
    watch.on = False
    assert [offence.split()[0] for offence in watch.offences] == ["open", "os.listdir", "os.stat", "printed"]
