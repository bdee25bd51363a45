"""Verifying, pruning, quarantine and rebuilding of archives whose exposures lie on the web."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from archive import Archive
from command_line import call, one_line, run
from fitsfiles import realign, set_pixels
from webserver import WebServer, touch_later

from mvmdb.remote import store


@pytest.fixture
def night(here: Archive, web: WebServer) -> list[Path]:
    """Two exposures in a folder of the web, whose night has been worked on."""
    folder = web.root / "night"
    paths = [here.expose(root, east=east, folder=folder) for root, east in (("ib6o04tuq", 0), ("ib6o04txq", 3))]
    assert here.night(web.at("night/")).reconcile.failed == 0
    return paths


def test_verify_sees_what_is_gone_and_what_changed(here: Archive, web: WebServer, night: list[Path]) -> None:
    assert call(here, "verify", "--deep", "--jobs", "1")[0] == 0
    realign(night[0], ra_arcsec=1.0)
    touch_later(night[0])
    night[1].unlink()
    code, out, _ = call(here, "verify")
    assert code == 1
    assert "its server has no such file" in out
    assert web.at(night[0]) in out


def test_verify_reads_every_byte_through_the_cache(
    here: Archive, web: WebServer, night: list[Path], cache: Path
) -> None:

    web.fixed_etags[f"/night/{night[0].name}"] = '"same"'
    here.ingest(web.at("night/"))
    set_pixels(night[0], np.full((64, 64), 7.0))
    for copy in cache.glob("*.fits"):
        copy.unlink()
    assert call(here, "verify")[0] == 0
    code, out, _ = call(here, "verify", "--deep", "--jobs", "1")
    assert (code, "pixel_digest" in out) == (1, True)


def test_night_says_what_vanished_from_the_folders_that_it_lists(
    here: Archive, web: WebServer, night: list[Path]
) -> None:
    night[1].unlink()
    web.forget()
    quiet = here.night(here.inbox)
    assert (quiet.vanished, web.asked.total()) == ([], 0), "no server is asked for files elsewhere"
    report = here.night(web.at("night/"))
    assert [file.path for file in report.vanished] == [web.at(night[1])]
    assert [file.new for file in here.night(web.at("night/")).vanished] == [False]
    assert here.look().stale == 0


def test_a_server_that_is_away_makes_nothing_vanish(here: Archive, web: WebServer, night: list[Path]) -> None:
    content = night[1].read_bytes()
    night[1].unlink()
    web.failing[f"/night/{night[1].name}"] = [503] * 100
    assert here.night(web.at("night/")).vanished == []
    code, out, _ = call(here, "ingest", web.at("night/"), "--prune", "--prune-yes")
    assert (code, "pruned" in out) == (0, False)
    web.failing.clear()
    night[1].write_bytes(content)
    assert here.night(web.at("night/")).vanished == []


def test_exposures_whose_files_left_the_web_are_pruned(here: Archive, web: WebServer, night: list[Path]) -> None:
    night[1].unlink()
    code, out, _ = call(here, "ingest", web.at("night/"), "--prune", "--prune-yes")
    assert (code, f"pruned: ib6o04tx: {web.at(night[1])} is gone" in out) == (0, True)
    night[0].unlink()
    code, out, err = call(here, "nightly", web.at("night/"), "--prune", "--prune-yes", "-o", str(here.products))
    assert code == 1
    assert f"the folder {web.at('night/')} is empty, though exposures were in it; nothing leaves" in out + err


def test_an_exposure_with_a_copy_elsewhere_switches_to_it(here: Archive, web: WebServer, night: list[Path]) -> None:
    (here.inbox / night[0].name).write_bytes(night[0].read_bytes())
    here.ingest(here.inbox)
    night[0].unlink()
    code, out, _ = call(here, "ingest", web.at("night/"), "--prune", "--prune-yes")
    assert code == 0
    paths = dict(here.rows("SELECT ipppssoo, path FROM exposure"))
    assert paths["ib6o04tu"] == str(here.inbox / night[0].name), out
    assert here.look().stale == 0


def test_quarantine_knows_addresses(here: Archive, web: WebServer) -> None:
    (web.root / "text_flt.fits").write_text("This is no FITS file.")
    assert call(here, "ingest", web.at("text_flt.fits"))[0] == 1
    assert call(here, "ingest", web.at("text_flt.fits"))[0] == 0, "the same fault of the same file is no news"
    code, out, _ = call(here, "quarantine", "--accept", web.at("text_flt.fits"))
    assert code == 0, out
    touch_later(web.root / "text_flt.fits")
    assert call(here, "ingest", web.at("text_flt.fits"))[0] == 1, "another state of the file is"
    (web.root / "text_flt.fits").unlink()
    here.ingest(here.expose())
    assert here.rows("SELECT path FROM quarantine") == []


def test_cells_of_an_address(here: Archive, web: WebServer) -> None:
    code, out, _ = call(here, "cells", web.at(here.expose(folder=web.root)))
    assert (code, "skycell-p0726x11y11" in out) == (0, True)


def test_rebuild_finds_the_mosaics_fresh(here: Archive, web: WebServer, night: list[Path]) -> None:
    here.lose_catalog()
    done = run(here, "rebuild", web.at("night/"), "-o", str(here.products), "--jobs", "1")
    assert "2 layers: 2 fresh" in done.stdout, done.stdout + done.stderr
    assert here.look().stale == 0


def test_settings_that_are_none_are_said(here: Archive, web: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    address = web.at(here.expose(folder=web.root))
    here.night(address)
    monkeypatch.setenv("MVMDB_CACHE_SIZE", "big")
    code, _, told = call(here, "ingest", address)
    assert (code, "the size of the cache is 'big'" in one_line(told)) == (2, True)
    monkeypatch.setattr(store, "_stores", {})
    monkeypatch.setenv("MVMDB_CACHE_SIZE", "1GB")
    monkeypatch.setenv("MVMDB_REMOTE_TIMEOUT", "soon")
    code, _, told = call(here, "ingest", address)
    assert (code, "MVMDB_REMOTE_TIMEOUT is 'soon'; expected seconds" in one_line(told)) == (2, True)


def test_without_the_extra_the_remedy_is_said(here: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "_stores", {})
    for name in ("fsspec", "aiohttp", "mvmdb.remote.web", "mvmdb.remote.buckets"):
        monkeypatch.setitem(sys.modules, name, None)
    for address in ("https://host/a_flt.fits", "s3://bucket/hst/"):
        code, _, told = call(here, "ingest", address)
        assert (code, "pip install 'mvmdb[remote]'" in one_line(told)) == (2, True)
