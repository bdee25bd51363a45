"""Folders of web servers are listed by the links of their pages; names there are data, whatever they say."""

from __future__ import annotations

from pathlib import Path

import pytest
from archive import Archive
from command_line import call, one_line
from webserver import WebServer

from mvmdb.errors import InputError
from mvmdb.exposures.find import find_exposures


def fill(web: WebServer, *names: str) -> None:
    for name in names:
        (web.root / name).parent.mkdir(parents=True, exist_ok=True)
        (web.root / name).touch()


def test_folders_are_searched_with_those_below(web: WebServer) -> None:
    fill(
        web, "night/ib6o04tuq_flt.fits", "night/deep/er/ib6o04txq_flc.fits", "night/ib6o04tuq_raw.fits", "top_flt.fits"
    )
    fill(web, "night/.hidden_flt.fits", "night/ib6o04u1q_flt.fits.gz", "night/with blank_flt.fits")
    found = find_exposures([web.at("night/")])
    assert found.paths == (
        web.at("night/deep/er/ib6o04txq_flc.fits"),
        web.at("night/ib6o04tuq_flt.fits"),
        web.at("night/with blank_flt.fits"),
    )
    assert found.compressed == (web.at("night/ib6o04u1q_flt.fits.gz"),)
    assert (found.folders, found.empty_folders) == ((web.at("night/"),), ())
    assert find_exposures([web.at("night")]).paths == found.paths


def test_lists_may_name_addresses(web: WebServer, here: Archive) -> None:
    fill(web, "a_flt.fits", "night/b_flt.fits")
    local = here.expose()
    names = here.folder / "names.txt"
    names.write_text(f"# three kinds\n{web.at('a_flt.fits')}\n{web.at('night/')}\ninbox/{local.name}\n")
    expected = sorted([web.at("a_flt.fits"), web.at("night/b_flt.fits"), str(local)])
    assert list(find_exposures([f"@{names}"]).paths) == expected


def test_folder_that_is_not_there_or_empty_is_said(web: WebServer) -> None:
    (web.root / "empty").mkdir()
    assert find_exposures([web.at("empty/")]).empty_folders == (web.at("empty/"),)
    with pytest.raises(InputError, match="there is no folder"):
        find_exposures([web.at("nothing/")])


def test_folder_that_cannot_be_listed_is_left_out(web: WebServer, here: Archive) -> None:
    fill(web, "night/a_flt.fits", "night/shut/b_flt.fits")
    web.failing["/night/shut/"] = [403]
    found = find_exposures([web.at("night/")])
    assert found.unreadable_folders == (web.at("night/shut/"),)
    assert found.paths == (web.at("night/a_flt.fits"),)


def test_links_that_lead_out_of_the_folder_are_passed_over(web: WebServer, tmp_path: Path) -> None:
    fill(web, "night/a_flt.fits", "other/b_flt.fits")
    outside = ["../other/b_flt.fits", "/other/b_flt.fits", "..%2Fother/b_flt.fits", "%2e%2e/other/b_flt.fits",
               "https://elsewhere.example/night/c_flt.fits", "file:///etc/d_flt.fits", "/night/../other/b_flt.fits",
               "javascript:e_flt.fits", "g_flt.fits?token=x", "http://[broken/f_flt.fits", "./", "", "/night/",
               "https:night/h_flt.fits", "s3://bucket/i_flt.fits", "//elsewhere.example/night/j_flt.fits"]  # fmt: skip
    web.pages["/night/"] = "".join(f"<A HREF='{link}'>x</A>" for link in ["a_flt.fits", "a_flt.fits#top", *outside])
    found = find_exposures([web.at("night/")]).paths
    assert found == (web.at("night/a_flt.fits"),)


def test_folders_that_lead_round_are_searched_once(web: WebServer) -> None:
    web.pages["/a/"] = '<a href="/a/">self</a><a href="b/">b</a>'
    web.pages["/a/b/"] = '<a href="/a/">up</a><a href="/a/b/">self</a><a href="x_flt.fits">x</a>'
    assert find_exposures([web.at("a/")]).paths == (web.at("a/b/x_flt.fits"),)
    assert web.asked.total() == 2


def test_folders_without_end_come_to_one(web: WebServer) -> None:
    class Endless(dict[str, str]):
        def __contains__(self, path: object) -> bool:
            return str(path).endswith("/")

        def __getitem__(self, path: str) -> str:
            return '<a href="deeper/">x</a>'

    web.pages = Endless()
    assert find_exposures([web.at("a/")]).paths == ()
    assert web.asked.total() < 30


def test_what_is_no_listing_is_refused(web: WebServer, here: Archive) -> None:
    web.redirects["/night/"] = "/data.bin"
    (web.root / "data.bin").touch()
    code, _, told = call(here, "ingest", web.at("night/"))
    assert code == 2
    assert "cannot read the folder" in told
    assert one_line(told.splitlines()[-1]).startswith("mvmdb: no exposures in ")


def test_astroquery_downloads_work_as_they_are(here: Archive) -> None:
    for root in ("ib6o04tuq", "ib6o04txq"):
        here.expose(root, folder=here.inbox / "mastDownload" / "HST" / root)
        (here.inbox / "mastDownload" / "HST" / root / f"{root}_spt.fits").touch()
    report = here.ingest(here.inbox / "mastDownload")
    assert (report.found, report.new, report.quarantined) == (2, 2, 0)
    assert here.ingest(here.inbox).unchanged == 2


def test_download_service_of_mast_is_an_address(web: WebServer, here: Archive) -> None:
    path = here.expose(folder=web.root / "HST" / "product")
    address = web.url + "Download/file?uri=mast%3AHST%2Fproduct%2F" + path.name
    assert here.ingest(address).new == 1
    recorded = web.url + "Download/file?uri=mast:HST/product/" + path.name
    assert here.rows("SELECT path, filename FROM exposure") == [(recorded, path.name)]
    assert here.ingest(address).unchanged == 1
    assert here.reconcile().drizzled == 2
