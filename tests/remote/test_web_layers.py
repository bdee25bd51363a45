"""Layers of exposures on the web: pixels are fetched when a layer needs them, and are the registered ones."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from archive import CELL, FINE, Archive
from astropy.io import fits
from cluster import run_cluster
from command_line import call, one_line, run
from fitsfiles import set_pixels
from webserver import WebServer, touch_later

import mvmdb
from mvmdb.errors import InputError, UsageError


def science(archive: Archive, layer: str = FINE) -> np.ndarray:
    (path,) = archive.products.rglob(f"{layer}_drz.fits")
    return fits.getdata(path, "SCI")


def test_mosaic_of_the_web_is_that_of_a_folder(here: Archive, web: WebServer, tmp_path: Path) -> None:
    paths = [here.expose(root, east=east, folder=web.root) for root, east in (("ib6o04tuq", 0), ("ib6o04txq", 3))]
    night = here.night(*map(web.at, paths))
    assert (night.reconcile.drizzled, night.reconcile.failed) == (2, 0)
    (tmp_path / "other").mkdir()
    other = Archive(tmp_path / "other", str(tmp_path / "other.db"))
    other.night(*paths)
    np.testing.assert_array_equal(science(here), science(other))
    (product,) = here.products.rglob(f"{FINE}_drz.fits")
    names = fits.getdata(product, "HDRTAB")["FILENAME"]
    assert sorted(str(name) for name in names) == sorted(path.name for path in paths)


def test_pixels_are_fetched_for_a_layer_and_not_before(here: Archive, web: WebServer, cache: Path) -> None:
    path = here.expose(folder=web.root, shape=(200, 200))
    here.ingest(web.at(path))
    assert not cache.exists()
    assert web.total < path.stat().st_size
    web.forget()
    here.reconcile()
    assert web.total == path.stat().st_size
    web.forget()
    here.reconcile(full=True)
    assert web.total == 0
    assert here.look().stale == 0


def test_pixels_other_than_the_registered_ones_are_not_drizzled(here: Archive, web: WebServer) -> None:
    path = here.expose(folder=web.root)
    here.night(web.at(path))
    before = science(here)
    set_pixels(path, np.full((64, 64), 7.0))
    touch_later(path)
    report = here.reconcile(full=True)
    assert report.failed == 2
    assert all("changed since it was registered" in (layer.error or "") for layer in report.layers)
    np.testing.assert_array_equal(science(here), before)
    here.night(web.at(path))
    assert not np.array_equal(science(here), before)
    assert here.look().stale == 0


def test_layer_waits_while_the_server_is_away(here: Archive, web: WebServer) -> None:
    path = here.expose(folder=web.root)
    here.ingest(web.at(path))
    web.failing[f"/{path.name}"] = [503] * 40
    report = here.reconcile()
    assert report.failed == 2
    assert all("its server answers 503 Service Unavailable, 4 times" in (layer.error or "") for layer in report.layers)
    assert here.exposure("ib6o04tu").eligible
    web.failing.clear()
    assert here.reconcile().drizzled == 2


def test_command_takes_the_cache_and_its_size(here: Archive, web: WebServer, cache: Path, tmp_path: Path) -> None:
    path = here.expose(folder=web.root)
    call(here, "ingest", web.at(path))
    words = ("reconcile", "-o", str(here.products), "--jobs", "2", "--cache", str(tmp_path / "mine"), "--cache-size")
    full = run(here, *words, "9kB")
    assert (full.returncode, "has no room for its" in full.stdout) == (1, True)
    done = run(here, *words, "1MB")
    assert (done.returncode, done.stderr) == (0, "")
    assert len(list((tmp_path / "mine").glob("*.fits"))) == 1
    assert not cache.exists()
    code, _, told = call(here, *words, "big")
    assert (code, "expected a number and a unit" in one_line(told)) == (2, True)


def test_workers_of_a_cluster_fetch_to_their_own_cache(
    here: Archive, web: WebServer, cache: Path, tmp_path: Path
) -> None:
    path = here.expose(folder=web.root)
    with run_cluster(tmp_path / "cluster", workers=1) as cluster:
        cluster.wait_for_workers(1)
        words = ("-o", str(here.products), "--executor", cluster.address, "--cache", str(tmp_path / "mine"))
        done = run(here, "nightly", web.at(path), *words)
    assert done.returncode == 0, done.stdout + done.stderr
    assert [copy.stat().st_size for copy in cache.glob("*.fits")] == [path.stat().st_size], "as its environment says"
    assert here.look().stale == 0


def test_python_takes_the_cache_and_its_size(here: Archive, web: WebServer, cache: Path, tmp_path: Path) -> None:
    path = here.expose(folder=web.root)
    here.ingest(web.at(path))
    mine, before = tmp_path / "mine", dict(os.environ)
    full = mvmdb.open(here.address, jobs=2, cache=mine, cache_size="9kB").reconcile(products=here.products)
    assert all("has no room for its" in (layer.error or "") for layer in full.report.layers)
    done = mvmdb.open(here.address, jobs=2, cache=str(mine), cache_size="1MB").reconcile(products=here.products)
    assert (done.report.failed, len(list(mine.glob("*.fits")))) == (0, 1)
    web.forget()
    mvmdb.open(here.address, cache=mine).stage([CELL], tmp_path / "staged", full=True)
    assert (web.total, len(list((tmp_path / "staged" / CELL).glob("*.fits")))) == (0, 1)
    assert not cache.exists()
    assert dict(os.environ) == before
    with pytest.raises(InputError, match="the size of the cache is 'big'"):
        mvmdb.open(here.address, cache_size="big")
    with pytest.raises(UsageError, match="s3://bucket/cache is an address"):
        mvmdb.open(here.address, cache="s3://bucket/cache")
