"""Exposures of an S3 bucket that is laid out as the archive's public one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import fsspec.config
import numpy as np
import pytest
from archive import Archive
from bucket import S3Server, run_s3
from command_line import run
from fitsfiles import realign, set_pixels
from fullsize import write_full_size

from mvmdb.errors import ExposureError, InputError
from mvmdb.exposures.find import find_exposures
from mvmdb.exposures.read import read_exposure
from mvmdb.remote import store


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    with run_s3() as running:
        running.files().mkdir("stpubdata")
        yield running


@pytest.fixture
def s3(server: S3Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Server]:
    """The server, empty, and known to fsspec."""
    monkeypatch.setitem(fsspec.config.conf, "s3", server.options)
    monkeypatch.setattr(store, "_stores", {})
    yield server
    files = server.files()
    for key in files.find("stpubdata"):
        files.rm_file(key)


def put(s3: S3Server, path: Path) -> str:
    root = path.name.split("_")[0]
    return s3.put(path, f"stpubdata/hst/public/{root[:4]}/{root}/{path.name}")


def test_folders_of_a_bucket_are_searched(s3: S3Server, here: Archive) -> None:
    first, second = here.expose(), here.expose("ibxx04tuq")
    addresses = sorted([put(s3, first), put(s3, second)])
    s3.put(first, "stpubdata/hst/public/ib6o/ib6o04tuq/ib6o04tuq_raw.fits")
    s3.put(first, "stpubdata/hst/public/ib6o/ib6o04tuq/ib6o04txq_flt.fits.gz")
    s3.put(first, "stpubdata/hst/other_flt.fits")
    found = find_exposures(["s3://stpubdata/hst/public/"])
    assert list(found.paths) == addresses
    assert found.compressed == ("s3://stpubdata/hst/public/ib6o/ib6o04tuq/ib6o04txq_flt.fits.gz",)
    assert find_exposures(["s3://stpubdata/hst/public/ibxx"]).paths == (addresses[1],)
    assert find_exposures([addresses[0]]).paths == (addresses[0],)
    with pytest.raises(InputError, match="there is no folder s3://stpubdata/hst/nothing"):
        find_exposures(["s3://stpubdata/hst/nothing"])


def test_bucket_is_catalogued_as_a_folder_is(s3: S3Server, here: Archive) -> None:
    path = here.expose()
    address = put(s3, path)
    assert read_exposure(address).exposure == read_exposure(path).exposure
    night = here.night("s3://stpubdata/hst/public/")
    assert (night.ingest.new, night.reconcile.drizzled, night.reconcile.failed) == (1, 2, 0)
    assert here.ingest("s3://stpubdata/hst/public/").unchanged == 1
    put(s3, path)  # the same bytes have the same ETag, though the file is a later one
    assert here.ingest(address).unchanged == 1
    set_pixels(path, np.full((64, 64), 7.0))
    put(s3, path)
    assert here.ingest("s3://stpubdata/hst/public/").changed == 1
    assert {code for reasons in here.reasons().values() for code, _ in reasons} == {"member-recalibrated"}


@pytest.mark.shared
def test_few_bytes_of_an_exposure_of_full_size_are_asked_for(s3: S3Server, shared: Path, tmp_path: Path) -> None:
    path = write_full_size(
        shared / "data" / "headers" / "sample_ipppssoot_flt.fits", tmp_path / "a_flt.fits", (1014,) * 2
    )
    address = put(s3, path)
    parts = store.store_of(address).open(address)
    moved, read = [], parts.read
    parts.read = lambda start, length: moved.append(length) or read(start, length)  # type: ignore[method-assign]
    opened = store.store_of(address)
    opened.open = lambda _: parts  # type: ignore[method-assign]
    assert read_exposure(address).exposure == read_exposure(path).exposure
    assert 0 < sum(moved) <= 1_000_000


def test_file_that_changes_between_two_parts_is_not_mixed(s3: S3Server, here: Archive) -> None:
    path = here.expose(shape=(300, 300))
    address = put(s3, path)
    parts = store.store_of(address).open(address)
    assert parts.read(0, 6) == b"SIMPLE"
    realign(path, ra_arcsec=1.0)
    put(s3, path)
    with pytest.raises(OSError, match="changed while it was being read"):
        parts.read(2880, 10)


def test_what_is_not_there_or_shut_is_said(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ExposureError, match="its server has no such file"):
        read_exposure("s3://stpubdata/hst/public/ib6o/ib6o04tuq/ib6o04tuq_flt.fits")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_PROFILE", "AWS_CONFIG_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    monkeypatch.setitem(fsspec.config.conf, "s3", {"endpoint_url": s3.url})
    monkeypatch.setattr(store, "_stores", {})
    with pytest.raises(ExposureError, match="expected credentials where fsspec looks for them"):
        read_exposure("s3://stpubdata/hst/public/ib6o/ib6o04tuq/ib6o04tuq_flt.fits")


def test_commands_take_credentials_from_fsspec(s3: S3Server, here: Archive) -> None:
    put(s3, here.expose())
    env = {"FSSPEC_S3": json.dumps(s3.options)}
    done = run(here, "nightly", "s3://stpubdata/hst/public/", "-o", str(here.products), "--jobs", "2", env=env)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert here.look().stale == 0
    (path,) = here.rows("SELECT path FROM exposure")[0]
    assert path == "s3://stpubdata/hst/public/ib6o/ib6o04tuq/ib6o04tuq_flt.fits"
    poller = next(here.products.rglob("*_input.out"))
    assert poller.read_text().strip().endswith(f",OLD,{path}")
    again = run(here, "process", str(poller), "-o", str(here.folder / "again"), env=env)
    assert again.returncode == 0, again.stdout + again.stderr
