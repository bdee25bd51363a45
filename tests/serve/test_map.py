"""The map in `mvmdb serve`: it is drawn anew when the catalog has changed, and leads to mosaics and to rows."""

from __future__ import annotations

import signal
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from archive import CELL, FINE, Archive, call
from browsers import move, open_browser, open_page
from playwright.sync_api import expect
from serving import get, running, until
from skymap import make_known_archive

from mvmdb.serve.routes import find_on_map, find_product

PRODUCT = f"{CELL}/{FINE}_drz.fits"


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    """The archive of skymap.py, with a thumbnail beside its mosaic."""
    archive = make_known_archive(tmp_path_factory.mktemp("known") / "archive")
    assert call(archive, "companions", "--beside", "thumb,exposures", "--executor", "serial").exit_code == 0
    return archive


@pytest.fixture(scope="module")
def site(known: Archive) -> Iterator[str]:
    """The address of `mvmdb serve`, with the map in a folder of the test's."""
    words = ("mvmdb", "--db", known.address, "serve", "--port", "0", "--map", str(known.folder / "map"))
    with running(*words, told="serving") as (_, address):
        until(lambda: get(f"{address}/map/index.html")[0] == 200)
        yield address


def count_of_cell(archive: Archive) -> list[float]:
    """The number of exposures of the sky cell, and their seconds."""
    (row,) = archive.rows(
        "SELECT count(*), sum(exptime) FROM exposure WHERE id IN (SELECT exposure_id FROM layer_member m "
        f"JOIN layer l ON l.id = m.layer_id WHERE l.name LIKE 'hst_{CELL}_%')"
    )
    return [float(value) for value in row]


def test_the_map_leads_from_a_click_to_the_rows_behind_it(site: str, known: Archive) -> None:
    with open_browser() as browser, open_page(browser, site) as watched:
        page = watched.page
        page.goto(f"{site}/")
        page.get_by_role("link", name="Map of the sky").click()
        page.locator("#map[data-complete=true]").wait_for()
        move(page, "#c=52.68,-26.0&fov=1.2")
        page.locator("#map").focus()
        page.keyboard.press("Enter")
        expect(page.locator("#panel")).to_contain_text(CELL)
        page.click(f'.layer[data-layer="{FINE}"] summary')
        picture = page.locator("#panel img").first
        picture.scroll_into_view_if_needed()
        expect(picture).to_have_js_property("complete", True)
        assert picture.evaluate("image => image.naturalWidth") > 0
        page.locator("#panel .sql-link a").first.click()
        expect(page.locator("table.rows-and-columns tbody tr").first).to_be_visible()
        assert page.url.startswith(f"{site}/mvm?sql=")
        row = page.locator("table.rows-and-columns tbody tr td").all_text_contents()
        assert [float(value) for value in row] == pytest.approx(count_of_cell(known))


def test_a_changed_catalog_is_drawn_anew(site: str, known: Archive) -> None:
    before = get(f"{site}/map/data/index.js")[1]
    known.expose("ib6o04ucq", north=3.0)
    known.ingest()
    until(lambda: get(f"{site}/map/data/index.js")[1] != before)
    assert '"exposures":8' in get(f"{site}/map/data/index.js")[1]


def test_mosaics_and_files_beside_them_are_served_and_nothing_else(site: str, known: Archive) -> None:
    for name in (PRODUCT, f"{CELL}/{FINE}_drz_thumb.jpg", f"{CELL}/{FINE}_drz_exposures.ecsv"):
        with urllib.request.urlopen(f"{site}/products/{name}", timeout=60) as answer:
            assert answer.read() == (known.products / name).read_bytes()
    secret = known.products / CELL / "notes.txt"
    secret.write_text("mine")
    others = ("", CELL, f"{CELL}/notes.txt", f"{CELL}/../{CELL}/notes.txt", f"..%2F{Path(known.address).name}",
              f"{CELL}/..%2f..%2fmvm.db", f"{CELL}/{FINE.replace('11y11', '12y11')}_drz.fits")  # fmt: skip
    for name in others:
        assert get(f"{site}/products/{name}")[0] == 404, name
    for name in (
        "notes.txt",
        "data",
        "data/",
        "data/../notes.txt",
        "data/.mvmdb-page",
        "../mvm.db",
        "data//etc/passwd",
    ):
        assert find_on_map(known.folder / "map", name) is None, name
    assert find_product(known.products, f"{CELL}/{FINE}_drz.fits/..") is None


def test_a_temporary_map_is_removed_at_the_end(known: Archive, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with running("mvmdb", "--db", known.address, "serve", "--port", "0", told="serving") as (process, address):
        until(lambda: get(f"{address}/map/index.html")[0] in (200, 503))
        assert list(tmp_path.glob("mvmdb-map-*"))
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 143
    assert not list(tmp_path.glob("mvmdb-map-*"))
