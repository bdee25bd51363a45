"""Exposures of a web server are catalogued from parts of their files, and known again by size and ETag."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from archive import Archive
from fitsfiles import realign, set_pixels
from fullsize import write_full_size
from webserver import WebServer, touch_later

from mvmdb.exposures.fits.file import scan_file
from mvmdb.exposures.read import read_exposure

MOST = 1_000_000
"""Bytes that may be moved for the headers and tables of one exposure."""


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "chip"),
    [("sample_ipppssoot_flc.fits", (4096, 2051)), ("sample_svm_flc.fits", (4096, 2051)),
     ("sample_ipppssoot_flt.fits", (1014, 1014)), ("sample_svm_flt.fits", (1014, 1014))],
)  # fmt: skip
def test_exposure_of_full_size_moves_at_most_a_megabyte(
    web: WebServer, shared: Path, name: str, chip: tuple[int, int]
) -> None:
    path = write_full_size(shared / "data" / "headers" / name, web.root / name, chip)
    read = read_exposure(web.at(path))
    assert path.stat().st_size > 16_000_000
    assert 0 < web.total <= MOST
    assert read.exposure == read_exposure(path).exposure
    assert read.exposure.s_region


@pytest.mark.shared
def test_tables_are_among_what_is_read(web: WebServer, shared: Path) -> None:
    path = write_full_size(shared / "data" / "headers" / "sample_ipppssoot_flc.fits", web.root / "a_flc.fits")
    before = read_exposure(web.at(path)).exposure.wcs_digest
    table = scan_file(path).images("WCSDVARR")[0]
    with path.open("r+b") as stream:
        stream.seek(table.offset)
        stream.write(b"\x3c\x23\xd7\x0a")  # 0.01 pixels
    assert read_exposure(web.at(path)).exposure.wcs_digest not in (None, before)


def test_web_exposure_is_as_that_of_a_folder(here: Archive, web: WebServer) -> None:
    path = here.expose(folder=web.root)
    report = here.ingest(web.at(path))
    assert (report.new, report.problems) == (1, [])
    here_read, web_read = read_exposure(path), read_exposure(web.at(path))
    assert web_read == replace(here_read, path=web.at(path), mtime_ns=web_read.mtime_ns)
    assert here.rows("SELECT path, filename FROM exposure") == [(web.at(path), path.name)]


def test_unchanged_file_is_asked_for_its_state_only(here: Archive, web: WebServer) -> None:
    path = here.expose(folder=web.root)
    here.ingest(web.at(path))
    web.forget()
    assert here.ingest(web.at(path)).unchanged == 1
    assert dict(web.asked) == {("HEAD", f"/{path.name}"): 1}
    assert web.total == 0


def test_other_etag_is_a_changed_file_though_size_and_time_are_as_before(here: Archive, web: WebServer) -> None:
    path = here.expose(folder=web.root)
    web.fixed_etags[f"/{path.name}"] = '"first"'
    here.ingest(web.at(path))
    web.fixed_etags[f"/{path.name}"] = '"second"'
    report = here.ingest(web.at(path))
    assert (report.changed, report.unchanged) == (1, 0)


def test_same_etag_is_the_same_file_though_its_time_is_later(here: Archive, web: WebServer) -> None:
    path = here.expose(folder=web.root)
    web.fixed_etags[f"/{path.name}"] = '"same"'
    here.ingest(web.at(path))
    touch_later(path)
    assert here.ingest(web.at(path)).unchanged == 1


def test_without_etags_another_time_or_size_is_a_changed_file(here: Archive, web: WebServer) -> None:
    web.etags = False
    path = here.expose(folder=web.root)
    here.ingest(web.at(path))
    assert here.ingest(web.at(path)).unchanged == 1
    touch_later(path)
    assert here.ingest(web.at(path)).changed == 1
    web.times = False
    assert here.ingest(web.at(path)).changed == 1  # a server that tells less tells another state
    with path.open("ab") as stream:
        stream.write(bytes(2880))
    assert here.ingest(web.at(path)).changed == 1


def test_realigned_file_of_a_server_is_noticed_as_such(here: Archive, web: WebServer, cache: Path) -> None:
    path = here.expose(folder=web.root)
    here.ingest(web.at(path))
    before = here.exposure("ib6o04tu")
    realign(path, ra_arcsec=3.0)
    touch_later(path)
    assert here.ingest(web.at(path)).changed == 1
    after = here.exposure("ib6o04tu")
    assert after.wcs_digest != before.wcs_digest
    assert not cache.exists(), "pixels that no layer was made of are not fetched"
    here.reconcile()
    realign(path, ra_arcsec=3.0)
    touch_later(path)
    here.ingest(web.at(path))
    codes = {code for reasons in here.reasons().values() for code, _ in reasons}
    assert codes == {"member-realigned", "canvas-changed"}, "the pixels, which were fetched now, are the same"


def test_new_pixels_of_a_server_are_noticed(here: Archive, web: WebServer) -> None:
    path = here.expose(folder=web.root)
    here.night(web.at(path))
    assert here.reasons() == {}
    size = path.stat().st_size
    set_pixels(path, np.full((64, 64), 7.0))
    touch_later(path)
    assert path.stat().st_size == size
    here.ingest(web.at(path))
    assert {code for reasons in here.reasons().values() for code, _ in reasons} == {"member-recalibrated"}


@pytest.mark.shared
def test_headerlets_are_fetched_several_at_once(web: WebServer, shared: Path) -> None:
    path = write_full_size(shared / "data" / "headers" / "sample_ipppssoot_flc.fits", web.root / "a_flc.fits")
    assert len(scan_file(path).images("HDRLET")) == 8
    web.forget()
    read_exposure(web.at(path))
    assert web.asked["GET", "/a_flc.fits"] <= 12
