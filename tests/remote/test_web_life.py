"""The whole life of an archive whose exposures lie on a web server, by commands, on SQLite and on PostgreSQL."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from archive import CELL, CENTER, FINE, Archive
from astropy.io import fits
from command_line import call
from fitsfiles import realign
from webserver import WebServer, touch_later

from mvmdb.pollers.files import read_poller

ROOTS = ("ib6o04tuq", "ib6o04txq", "ib6o04tyq")


class Life:
    """The commands on an archive whose exposures are in the folder `night/` of a server."""

    def __init__(self, archive: Archive, web: WebServer) -> None:
        self.archive, self.web = archive, web
        self.night = web.at("night/")
        self.paths = [
            archive.expose(root, east=3 * place, folder=web.root / "night") for place, root in enumerate(ROOTS)
        ]
        self.addresses = [web.at(path) for path in self.paths]

    def do(self, *words: str | Path, code: int = 0) -> str:
        """Run a command, and return what it prints."""
        found, out, err = call(self.archive, *map(str, words))
        assert found == code, f"{words}: {found}\n{out}\n{err}"
        return out

    def value(self, *words: str | Path, code: int = 0) -> Any:
        return json.loads(self.do(*words, "--json", code=code))

    def stale(self) -> int:
        """How many layers `status` says are stale."""
        found, out, _ = call(self.archive, "status", "--json")
        stale: int = json.loads(out)["stale"]
        assert found == (1 if stale else 0)
        return stale

    def members(self) -> list[str]:
        (path,) = self.archive.products.rglob(f"{FINE}_drz.fits")
        return sorted(str(name) for name in fits.getdata(path, "HDRTAB")["FILENAME"])


@pytest.fixture
def life(archive: Archive, web: WebServer) -> Life:
    return Life(archive, web)


def test_nights_and_what_is_asked_of_them(life: Life) -> None:
    work = (life.night, "-o", life.archive.products, "--jobs", "1")
    life.do("ingest", life.night, "--jobs", "1")
    assert life.stale() == 2
    life.do("nightly", *work)
    assert (life.stale(), life.members()) == (0, [path.name for path in life.paths])
    assert life.addresses[0] in life.do("explain", life.addresses[0])
    found = life.value("search", "exposures", "--columns", "ipppssoo,path", "--sort", "ipppssoo")
    assert [row["path"] for row in found] == life.addresses
    assert life.addresses[0] in life.do("history", "--exposure", life.addresses[0])
    life.do("verify", "--deep", "--jobs", "1")
    realign(life.paths[0], ra_arcsec=2.0)
    touch_later(life.paths[0])
    assert "exposure-changed (1)" in life.do("verify", code=1)
    life.do("nightly", *work)
    assert life.stale() == 0
    life.do("withdraw", life.addresses[1], "--why", "a trail")
    life.do("nightly", *work)
    assert life.members() == [life.paths[0].name, life.paths[2].name]
    life.do("verify", "--deep", "--jobs", "1")


def test_pollers_and_mosaics_beside_the_archive(life: Life, tmp_path: Path) -> None:
    life.do("nightly", life.night, "-o", life.archive.products, "--jobs", "1")
    staged = life.value("stage", CELL, "-o", tmp_path / "staged", "--full")
    assert (staged["problems"], staged["skycells"][0]["put"]) == ([], 3)
    life.do("poller", CELL, "-o", tmp_path / "pollers")
    poller = tmp_path / "pollers" / CELL / f"{CELL}_input.out"
    assert sorted(row.pathname for row in read_poller(poller).rows) == life.addresses
    poller.write_text(poller.read_text().replace(",OLD,", ",NEW,"))
    for source, target in ((poller, "one"), (tmp_path / "staged" / CELL / poller.name, "two")):
        life.do("process", source, "-o", tmp_path / target, "--jobs", "1")
        (made,) = (tmp_path / target).rglob(f"{FINE}_drz.fits")
        (kept,) = life.archive.products.rglob(made.name)
        np.testing.assert_array_equal(fits.getdata(made, "SCI"), fits.getdata(kept, "SCI"))
    words = ("--at", str(CENTER[0]), str(CENTER[1]), "--size", "0.05", "-o", tmp_path / "field", "--jobs", "1")
    life.do("mosaic", *words)
    assert len(list((tmp_path / "field").rglob("*_drz.fits"))) == 2


def test_a_lost_catalog_and_a_file_that_the_server_lists_no_more(life: Life) -> None:
    work = (life.night, "-o", life.archive.products, "--jobs", "1")
    life.do("nightly", *work)
    life.do("withdraw", "ib6o04tx", "--why", "a trail")
    life.do("nightly", *work)
    life.archive.lose_catalog()
    assert "2 layers: 2 fresh" in life.do("rebuild", *work)
    assert (life.stale(), life.members()) == (0, [life.paths[0].name, life.paths[2].name])
    life.paths[2].unlink()
    assert life.addresses[2] in life.do("nightly", *work, code=1)
    assert f"pruned: ib6o04ty: {life.addresses[2]} is gone" in life.do("nightly", *work, "--prune", "--prune-yes")
    assert (life.stale(), life.members()) == (0, [life.paths[0].name])
    staged = life.value("stage", CELL, "-o", life.archive.folder / "staged", "--full")
    assert (staged["problems"], staged["skycells"][0]["files"]) == ([], 1)
    life.do("verify", "--deep", "--jobs", "1")
