"""How the page looks in a real browser: labels, nothing hidden, empty states, small screens, contrast."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from archive import CELL, Archive
from browsers import Watched, open_page
from playwright.sync_api import Browser, Page, expect
from skymap import FIELDS

import mvmdb

CONTRAST = """([selector, pseudo]) => {
    const style = getComputedStyle(document.querySelector(selector), pseudo || null);
    const back = getComputedStyle(document.querySelector(selector)).backgroundColor;
    const light = (text) => text.match(/[\\d.]+/g).slice(0, 3).map((v) => v / 255)
        .map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
        .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
    return [style.color, style.borderTopColor].map((colour) => {
        const [a, b] = [light(colour), light(back)].sort((x, y) => y - x);
        return (a + 0.05) / (b + 0.05);
    });
}"""


@pytest.fixture
def served(browser: Browser, web: str) -> Iterator[Watched]:
    """The page opened from a web server."""
    with open_page(browser, web) as watched:
        yield watched


def show(page: Page, address: str) -> None:
    """Load the page at an address, until all that is to be drawn is there."""
    page.goto("about:blank")
    page.goto(address)
    page.locator("#map[data-complete=true]").wait_for()


def labels(page: Page, address: str) -> list[list[Any]]:
    """The labels of the graticule, as [text, RA, Dec] where each begins, when the map is drawn once more."""
    show(page, address)
    found: list[list[Any]] = page.evaluate(
        """() => {
            const { map } = mvmdbPage.app, write = map.context.fillText, found = [];
            map.context.fillText = function (text, x, y) { if (text.endsWith("°")) found.push([text, x, y]); };
            map.draw();
            map.context.fillText = write;
            const view = map.view();
            return found.map(([text, x, y]) => {
                const [ra] = mvmdbPage.sphere.radec(view.vectorAt(x - 3, y));
                return [text, ra, mvmdbPage.sphere.radec(view.vectorAt(x, y + 3))[1]];
            });
        }"""
    )
    return found


def test_labels_of_the_graticule_stand_at_the_lines_that_they_name(served: Watched, web: str) -> None:
    found = labels(served.page, f"{web}/map/#c=53,-27&fov=40")
    assert len(found) > 4
    for text, ra, dec in found:
        value = float(text.removesuffix("°").replace("\u2212", "-"))
        assert min(abs(value - dec), abs(value - ra)) < 0.01, text


def test_no_label_lies_below_the_legend_or_a_button(served: Watched, web: str) -> None:
    page = served.page
    labels(page, f"{web}/map/#c=53,-27&fov=40")
    boxes = page.evaluate("mvmdbPage.app.map.covered()")
    written = page.evaluate(
        """() => {
            const { map } = mvmdbPage.app, write = map.context.fillText, found = [];
            map.context.fillText = function (text, x, y) {
                found.push([x, y - 8, x + this.measureText(text).width, y]);
            };
            map.draw();
            map.context.fillText = write;
            return found;
        }"""
    )
    assert len(boxes) >= 2
    for a in boxes:
        assert not [b for b in written if a[0] < b[2] and a[2] > b[0] and a[1] < b[3] and a[3] > b[1]]


def test_that_nothing_meets_the_conditions_is_said(served: Watched, web: str) -> None:
    show(served.page, f"{web}/map/#f=f999w")
    expect(served.page.locator("#status")).to_have_text("No exposure in view meets the conditions.")
    served.page.click("#clear")
    expect(served.page.locator("#status")).to_have_text("")


def test_a_small_archive_is_seen_closely_at_first_and_an_empty_one_is_said_to_be_empty(
    browser: Browser, tmp_path: Path
) -> None:
    archive = Archive(tmp_path / "one", str(tmp_path / "one.db"))
    archive.inbox.mkdir(parents=True)
    mvmdb.open(archive.address, create=True).page(tmp_path / "empty")
    archive.expose("ib6o04tuq", ra=FIELDS["seam"][0], dec=FIELDS["seam"][1])
    archive.ingest()
    mvmdb.open(archive.address).page(tmp_path / "page")
    with open_page(browser, "file:") as watched:
        page = watched.page
        show(page, (tmp_path / "empty" / "index.html").as_uri())
        expect(page.locator("#status")).to_have_text("No exposure of the archive is in a layer yet.")
        show(page, (tmp_path / "page" / "index.html").as_uri())
        assert page.evaluate("mvmdbPage.app.state.fov") < 10
        x, y = page.evaluate("([ra, dec]) => mvmdbPage.app.map.view().project(ra, dec)", FIELDS["seam"])
        size = page.evaluate("[mvmdbPage.app.map.width, mvmdbPage.app.map.height]")
        assert 0 < x < size[0]
        assert 0 < y < size[1]
        page.locator("#whole").click()
        assert page.evaluate("mvmdbPage.app.state.fov") == 360
        show(page, (tmp_path / "page" / "index.html").as_uri() + "#c=10,10&fov=360")
        assert page.evaluate("mvmdbPage.app.state.ra") == 10


@pytest.mark.parametrize("size", [(320, 640), (640, 360)])
def test_the_sky_cell_can_be_read_at_320_pixels_and_at_twice_the_size(
    browser: Browser, web: str, size: tuple[int, int]
) -> None:
    with open_page(browser, web, viewport={"width": size[0], "height": size[1]}) as watched:
        page = watched.page
        show(page, f"{web}/map/#c=52.68,-26&fov=0.5&cell={CELL}")
        expect(page.locator("#panel dl")).to_be_attached()
        boxes = [page.locator(name).bounding_box() for name in ("header", "#controls", "#stage", "#panel h2", "#panel")]
        tops = [box["y"] for box in boxes if box]
        ends = [box["y"] + box["height"] for box in boxes if box]
        assert all(end <= top + 1 for end, top in zip(ends[:3], tops[1:4], strict=True))  # none lies upon the next
        page.locator("#panel .close").scroll_into_view_if_needed()
        page.click("#panel .close")
        expect(page.locator("#panel")).to_be_hidden()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_and_the_edges_of_controls_have_the_contrast_of_wcag_aa(browser: Browser, web: str, scheme: str) -> None:
    with open_page(browser, web, color_scheme=scheme) as watched:
        show(watched.page, f"{web}/map/#cell={CELL}")
        watched.page.locator(".badge").first.wait_for()
        for selector in ("#search", "#program", "#theme", "#zoom-in"):
            text, edge = watched.page.evaluate(CONTRAST, [selector, None])
            assert text > 4.5, selector
            assert edge > 3, selector
        for selector, pseudo in (("#search", "::placeholder"), (".badge", None)):
            assert watched.page.evaluate(CONTRAST, [selector, pseudo])[0] > 4.5, selector


def test_two_clicks_open_what_one_opens(served: Watched, web: str) -> None:
    page = served.page
    show(page, f"{web}/map/#fov=360")
    x, y = page.evaluate("([ra, dec]) => mvmdbPage.app.map.view().project(ra, dec)", FIELDS["south"])
    box = page.locator("#map").bounding_box()
    assert box is not None
    page.mouse.dblclick(box["x"] + x, box["y"] + y)
    assert page.evaluate("mvmdbPage.app.state.fov") == 20


def test_files_of_two_states_of_the_page_ask_for_a_reload(served: Watched, web: str) -> None:
    page = served.page
    show(page, f"{web}/map/#c=52.68,-26&fov=3")
    page.evaluate("mvmdbPage.data.load('layers/p0726-0').then((value) => { value.cells = {}; })")
    page.evaluate("name => { location.hash = name; }", f"#c=52.68,-26&fov=3&cell={CELL}")
    expect(page.locator("#panel [role=alert]")).to_contain_text("reload it")
