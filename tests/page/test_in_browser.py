"""The page in a real browser: it shows what the catalog has, and a click tells the truth."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import pytest
from archive import CELL, FINE, Archive
from browsers import Watched, move, open_page, wait
from PIL import Image
from playwright.sync_api import Browser, Page, expect
from skymap import FIELDS, HOSTILE

import mvmdb
from mvmdb.names import parse_cell_name
from mvmdb.sky.tessellation import cell_corners

CLOSE = "#c={},{}&fov=1.2"


def show(page: Page, address: str) -> None:
    """Load the page at an address, until all that is to be drawn is there."""
    page.goto("about:blank")
    page.goto(address)
    wait(page)


def drawn(page: Page) -> list[Any]:
    """The keys of what is drawn: pixels, or [projection cell, number] of sky cells."""
    keys: list[Any] = page.evaluate("mvmdbPage.app.map.drawn.found.map((item) => item.key)")
    return keys


def facts(page: Page) -> dict[str, str]:
    found: dict[str, str] = page.evaluate(
        "Object.fromEntries([...document.querySelectorAll('[data-fact]')].map((e) => [e.dataset.fact, e.textContent]))"
    )
    return found


def place_of(page: Page, ra: float, dec: float) -> tuple[float, float]:
    """The pixel of the window at a position."""
    x, y = page.evaluate("([ra, dec]) => mvmdbPage.app.map.view().project(ra, dec)", [ra, dec])
    box = page.locator("#map").bounding_box()
    assert box is not None
    return box["x"] + x, box["y"] + y


def sums(page: Page) -> list[int]:
    """The counts of all that is drawn: exposures, ms, stale, to Gaia, to another catalog."""
    found: list[int] = page.evaluate(
        "mvmdbPage.app.map.drawn.found.reduce((s, item) => s.map((v, i) => v + item.count[i]), [0, 0, 0, 0, 0])"
    )
    return found


@pytest.fixture
def local(browser: Browser, page_folder: Path) -> Iterator[Watched]:
    """The page opened from its folder, as by a double click."""
    with open_page(browser, "file:") as watched:
        yield watched


@pytest.fixture
def served(browser: Browser, web: str) -> Iterator[Watched]:
    """The page opened from a web server."""
    with open_page(browser, web) as watched:
        yield watched


def test_it_opens_from_a_folder_and_from_the_web_and_loads_nothing_else(
    local: Watched, browser: Browser, web: str, page_folder: Path
) -> None:
    show(local.page, page_folder.as_uri() + "/index.html")
    with open_page(browser, web) as served:
        show(served.page, f"{web}/map/")
        assert drawn(served.page) == drawn(local.page)
        assert sums(served.page)[0] == 7
        assert served.page.title() == "Hubble multi-visit mosaics"
    names = [unquote(url).split("/map/")[1].split("?")[0] for url in local.requests if "/map/" in url]
    assert "data/index.js" in names
    assert not [name for name in names if name.startswith(("data/layers", "data/prints", "data/cells"))]


@pytest.mark.parametrize("field", FIELDS)
def test_the_cells_drawn_are_those_of_the_catalog(served: Watched, web: str, known: Archive, field: str) -> None:
    ra, dec = FIELDS[field]
    show(served.page, f"{web}/map/" + CLOSE.format(ra, dec))
    cells = [row[0] for row in known.rows("SELECT c.name FROM skycell c WHERE EXISTS (SELECT 1 FROM layer l "
        f"WHERE l.skycell_id = c.id) AND dec BETWEEN {dec} - 1 AND {dec} + 1 ORDER BY c.id")]  # fmt: skip
    found = served.page.evaluate(
        "mvmdbPage.app.map.drawn.found.map(({key}) => mvmdbPage.app.tessellation.name(...key))"
    )
    assert cells
    assert sorted(found) == cells
    empty = Image.open(io.BytesIO(served.page.locator("#map").screenshot())).convert("RGB").getpixel((30, 300))
    for cell in cells:
        corners = cell_corners(parse_cell_name(cell))
        if field != "pole":
            inside = corners[0] * 0.6 + np.where(np.abs(corners[2] - corners[0]) > 180, corners[0], corners[2]) * 0.4
            x, y = place_of(served.page, *inside.tolist())
            box = served.page.locator("#map").bounding_box()
            assert box is not None
            picture = Image.open(io.BytesIO(served.page.screenshot())).convert("RGB")
            assert picture.getpixel((int(x), int(y))) != empty
            key = served.page.evaluate("([x, y]) => mvmdbPage.app.map.hit(x, y).item.key", [x - box["x"], y - box["y"]])
            assert key == [parse_cell_name(cell).projection_cell, parse_cell_name(cell).index % 441]


def test_a_click_tells_what_the_catalog_and_explain_tell(served: Watched, web: str, known: Archive) -> None:
    page, archive = served.page, mvmdb.open(known.address)
    show(page, f"{web}/map/" + CLOSE.format(*FIELDS["south"]))
    page.mouse.click(*place_of(page, FIELDS["south"][0] + 0.02, FIELDS["south"][1] + 0.02))
    expect(page.locator("#panel h2")).to_have_text(CELL)
    rows = known.rows(f"SELECT name, stale, n_exposures FROM layer WHERE name LIKE 'hst_{CELL}_%' ORDER BY name")
    expect(page.locator(".layer")).to_have_count(len(rows))  # details are loaded after the heading is there
    shown = page.evaluate(
        """[...document.querySelectorAll('.layer')].map((box) => [box.dataset.layer,
            box.querySelector('.badge').textContent, box.querySelector('.layer-facts').textContent])"""
    )
    assert [(name, badge) for name, badge, _ in shown] == [
        (name, "stale" if stale else "fresh") for name, stale, _ in rows
    ]
    assert [int(text.split()[0]) for _, _, text in shown] == [n for _, _, n in rows]
    (count,) = archive.query(page.locator("details.sql code").first.text_content() or "")  # the very SQL that is shown
    told = facts(page)
    assert told["exposures"] == str(count["exposures"]) == "5"
    assert float(told["seconds"].removesuffix(" s").replace(",", "")) == pytest.approx(count["seconds"], abs=0.06)
    ((gaia, none, mixed),) = known.rows(
        f"""SELECT count(DISTINCT CASE WHEN e.frame = 'gaia' THEN e.id END), count(DISTINCT CASE WHEN e.frame = 'none'
        THEN e.id END), count(DISTINCT CASE WHEN l.mixed_arcmin2 > 0 THEN e.id END)
        FROM exposure e JOIN layer_member m ON m.exposure_id = e.id JOIN layer l ON l.id = m.layer_id
        WHERE l.name LIKE 'hst_{CELL}_%'"""
    )
    assert told["frames"] == f"Gaia {gaia}, none {none}"
    assert told["in-mixed"] == f"{mixed} of 5"
    assert mixed > 0
    page.click(f'.layer[data-layer="{FINE}"] summary')
    ((frames, area),) = known.rows(f"SELECT frames, mixed_arcmin2 FROM layer WHERE name = '{FINE}'")
    said = page.locator(f'.layer[data-layer="{FINE}"] .layer-frames').text_content() or ""
    assert said.startswith(f"Frames: {frames}. Different frames overlap in ")
    assert float(said.split(" in ")[1].split()[0]) == pytest.approx(area, abs=1e-4)
    reasons = {(code, exposure) for code, exposure in known.rows(
        f"SELECT reason, exposure FROM stale_reason WHERE layer = '{FINE}'")}  # fmt: skip
    text = page.locator(f'.layer[data-layer="{FINE}"] .reasons').text_content() or ""
    explained = "\n".join(archive.explain(FINE).lines)
    for code, exposure in reasons:
        assert code in text
        assert exposure is None or (exposure in text and exposure in explained)
    assert set(page.locator(f'.layer[data-layer="{FINE}"] .reasons code').all_text_contents()) == {
        c for c, _ in reasons
    }
    members = page.locator(f'.layer[data-layer="{FINE}"] .members tbody tr td:first-child').all_text_contents()
    assert members == ["ib6o04tu", "ib6o04tv", "ib6o04tw"]
    events = [row[0] for row in known.rows(f"SELECT kind FROM history WHERE layer LIKE 'hst_{CELL}_%'")]
    assert sorted(page.locator(".history strong").all_text_contents()) == sorted(events)


def test_the_product_and_its_picture_are_linked(served: Watched, web: str) -> None:
    page = served.page
    show(page, f"{web}/map/#c=52.68,-26&fov=0.5&cell={CELL}")
    page.click(f'.layer[data-layer="{FINE}"] summary')
    link = page.locator(f'.layer[data-layer="{FINE}"] a').first
    assert (link.get_attribute("href") or "").startswith("file:///")
    assert (link.get_attribute("href") or "").endswith(f"/products/{CELL}/{FINE}_drz.fits")
    picture = page.locator(".picture img").first
    expect(picture).to_have_js_property("complete", True)
    assert picture.evaluate("image => image.naturalWidth") > 10


CONDITIONS = {
    "": "1 = 1",
    "&f=f160w,f814w": "filter IN ('f160w', 'f814w')",
    "&q=12062": "proposal_id = 12062",
    "&q=11359&f=f125w": "proposal_id = 11359 AND filter = 'f125w'",
    "&d=2009-10..2010-01": "expstart >= 55105 AND expstart < 55228",
    "&d=2013-08..": "expstart >= 56505",
    "&d=..2012-06&f=f125w": "expstart < 56109 AND filter = 'f125w'",
    "&q=99999": "1 = 0",
}


def test_numbers_are_exact_for_the_conditions_at_every_level(served: Watched, web: str, known: Archive) -> None:
    page = served.page
    columns = (
        "count(*), coalesce(sum(CAST(round(exptime * 1000) AS INTEGER)), 0), "
        "coalesce(sum(astrometric_catalog LIKE 'GAIA%'), 0)"
    )
    show(page, f"{web}/map/")
    for conditions, sql in CONDITIONS.items():
        for view, level, where in (
            ("fov=360", "sky", sql),
            ("c=52.68,-26&fov=12", "tiles", f"{sql} AND dec < 0"),
            ("c=52.68,-26&fov=3", "cells", f"{sql} AND dec < 0"),
        ):
            move(page, f"#{view}{conditions}")
            assert page.get_attribute("#map", "data-level") == level
            expected = known.rows(f"SELECT {columns} FROM exposure WHERE {where}")
            assert [tuple(sums(page)[i] for i in (0, 1, 3))] == expected, (conditions, level)
        move(page, f"#c=52.68,-26&fov=0.3{conditions}")
        names = page.evaluate("mvmdbPage.app.map.drawn.prints.found.map(({file, i}) => file.names[i])")
        assert [(name,) for name in sorted(names)] == known.rows(
            f"SELECT ipppssoo FROM exposure WHERE {sql} AND dec < 0 ORDER BY ipppssoo"
        )


def test_footprints_lie_where_the_catalog_says(served: Watched, web: str, known: Archive) -> None:
    show(served.page, f"{web}/map/#c=0,10&fov=0.3")
    ((region,),) = known.rows("SELECT s_region FROM exposure WHERE ipppssoo = 'ic0p01aa'")
    numbers = np.array(region.split()[2:], float).reshape(-1, 2)
    drawn_at = served.page.evaluate("mvmdbPage.app.map.drawn.prints.found[0].polygons[0].map(mvmdbPage.sphere.radec)")
    apart = (np.array(drawn_at) - numbers + 180) % 360 - 180
    assert np.abs(apart).max() * 3600 < 0.03  # half a fine pixel, which is 0.04 arcsec
    x, y = place_of(served.page, *FIELDS["seam"])
    served.page.mouse.click(x, y)
    expect(served.page.locator(".here li")).to_have_count(1)
    expect(served.page.locator(".here li")).to_contain_text("ic0p01aa WFC3/IR F125W, program 13000")


def test_the_address_keeps_the_view(served: Watched, web: str) -> None:
    page = served.page
    show(page, f"{web}/map/#c=52.68,-26&fov=0.5")
    page.check("#by input[value=stale]")
    page.check("#filters input[value=f125w]")
    page.mouse.click(*place_of(page, 52.7, -25.98))
    expect(page.locator("#panel h2")).to_have_text(CELL)
    address = page.url
    assert {"by=stale", "f=f125w", "cell=p0726x11y11", "fov=0.5"} <= set(address.split("#")[1].split("&"))
    view = "JSON.stringify([mvmdbPage.app.state, mvmdbPage.app.map.drawn.found.map((item) => item.key)])"
    before = page.evaluate(view)
    show(page, address)
    expect(page.locator("#panel h2")).to_have_text(CELL)
    assert page.evaluate(view) == before
    page.click("#panel .close")
    expect(page.locator("#panel")).to_be_hidden()
    page.go_back()
    expect(page.locator("#panel h2")).to_have_text(CELL)
    page.go_forward()
    expect(page.locator("#panel")).to_be_hidden()
    expect(page.locator("#filters input[value=f125w]")).to_be_checked()


def test_it_can_be_used_with_the_keyboard_alone(served: Watched, web: str) -> None:
    page = served.page
    show(page, f"{web}/map/")
    page.keyboard.press("/")
    page.keyboard.type("52.68 -26")
    page.keyboard.press("Enter")
    wait(page)
    while page.evaluate("document.activeElement.id") != "map":
        page.keyboard.press("Tab")
    assert page.evaluate("document.getElementById('map').matches(':focus-visible')")
    fov = page.evaluate("mvmdbPage.app.state.fov")
    page.keyboard.press("+")
    assert page.evaluate("mvmdbPage.app.state.fov") == pytest.approx(fov / 1.5)
    page.keyboard.press("-")
    page.keyboard.press("ArrowLeft")  # east
    assert page.evaluate("mvmdbPage.app.state.ra") > 52.68
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(page.locator("#panel h2")).to_be_focused()
    expect(page.locator("#live")).to_have_text(f"{CELL}: 5 layers, 5 stale.")
    page.keyboard.press("Escape")
    expect(page.locator("#panel")).to_be_hidden()
    assert page.evaluate("document.activeElement.id") == "map"
    page.locator("#table-box summary").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#table-body tr").first).to_be_visible()
    page.locator("#map").focus()
    page.keyboard.press("Home")
    expect(page.locator("#table-body button")).to_have_count(3)
    assert page.evaluate("mvmdbPage.app.state.fov") == 360


POSITIONS = {
    "52.68 -26.0": (52.68, -26.0),
    "52.68,+26": (52.68, 26.0),
    "03:30:43.2 -26:00:00": (52.68, -26.0),
    "03h30m43.2s \u221226d00m00s": (52.68, -26.0),
    "03 30 43.2 -00 30 00": (52.68, -0.5),
}


def test_the_search_finds_sky_cells_and_positions(served: Watched, web: str) -> None:
    page = served.page
    show(page, f"{web}/map/")
    centre = page.evaluate("mvmdbPage.sphere.radec(mvmdbPage.app.tessellation.centre(726, 10 * 21 + 10))")
    for text, position in (POSITIONS | {"p0726x11y11": centre, "SKYCELL-P0726X11Y11": centre}).items():
        page.fill("#search", text)
        page.keyboard.press("Enter")
        assert page.evaluate("[mvmdbPage.app.state.ra, mvmdbPage.app.state.dec]") == pytest.approx(list(position))
        expect(page.locator("#search-problem")).to_have_text("")
    expect(page.locator("#panel h2")).to_have_text(CELL)


def test_what_the_search_does_not_understand_is_said(served: Watched, web: str) -> None:
    page = served.page
    show(page, f"{web}/map/")
    for text, words in (
        ("M31", "M31 is not understood. Expected a sky cell like p0647x10y11, degrees"),
        ("p9999x01y01", "there is no projection cell 9999"),
        ("400 10", "is not on the sky"),
        ("03:61:00 -26:00:00", "out of range"),
        ("", "Nothing was given"),
    ):
        page.fill("#search", text)
        page.keyboard.press("Enter")
        expect(page.locator("#search-problem")).to_contain_text(words)
    page.fill("#search", "p0100x01y01")
    page.keyboard.press("Enter")
    expect(page.locator("#panel")).to_contain_text("No layer of the archive is in this sky cell.")


def test_texts_from_headers_are_shown_and_never_run(served: Watched, web: str) -> None:
    page = served.page
    show(page, f"{web}/map/#c=52.68,-26&fov=0.1&cell={CELL}&f=%3Cimg%20src=x%20onerror=hacked=1%3E")
    page.click("#clear")
    wait(page)
    page.mouse.click(*place_of(page, *FIELDS["south"]))
    expect(page.locator(".here li", has_text="ib6o04tw")).to_contain_text(HOSTILE)
    page.click(f'.layer[data-layer="{FINE}"] summary')
    expect(page.locator(".members tr", has_text="ib6o04tw")).to_contain_text(HOSTILE)
    assert page.evaluate(
        "window.hacked === undefined && document.querySelectorAll('#app script, #app img[src=x]').length === 0"
    )


def test_it_follows_the_colours_of_the_system_and_the_button(browser: Browser, web: str) -> None:
    with open_page(browser, web, color_scheme="dark") as watched:
        page = watched.page
        show(page, f"{web}/map/")
        dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
        page.click("#theme")
        light = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert max(map(int, dark[4:-1].split(","))) < 60 < min(map(int, light[4:-1].split(",")))
        page.reload()
        wait(page)
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == light


def test_it_is_readable_on_a_phone(browser: Browser, web: str) -> None:
    phone = {"viewport": {"width": 375, "height": 700}, "has_touch": True, "is_mobile": True, "device_scale_factor": 2}
    with open_page(browser, web, **phone) as watched:
        page = watched.page
        show(page, f"{web}/map/" + CLOSE.format(*FIELDS["south"]))
        wide = "document.documentElement.scrollWidth <= innerWidth"
        assert page.evaluate(wide)
        assert not page.evaluate("document.getElementById('controls').open")
        page.touchscreen.tap(*place_of(page, FIELDS["south"][0] + 0.02, FIELDS["south"][1]))
        expect(page.locator("#panel h2")).to_be_in_viewport()
        assert page.evaluate(wide)
        box = page.locator("#map").bounding_box()
        assert box is not None
        assert box["height"] > 120


def test_dragging_moves_the_sky_and_the_wheel_zooms_about_the_pointer(served: Watched, web: str) -> None:
    page = served.page
    show(page, f"{web}/map/" + CLOSE.format(*FIELDS["south"]))
    ra, dec = FIELDS["south"]
    x, y = place_of(page, ra, dec)
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 60, y + 40, steps=4)
    page.mouse.up()
    assert place_of(page, ra, dec) == pytest.approx((x + 60, y + 40), abs=1.5)
    expect(page.locator("#panel")).to_be_hidden()  # a drag is no click
    page.mouse.wheel(0, -200)
    expect(page.locator("#map[data-complete=true]")).to_be_visible()
    page.wait_for_url(lambda url: float(url.split("fov=")[1].split("&")[0]) < 1)
    assert place_of(page, ra, dec) == pytest.approx((x + 60, y + 40), abs=1.5)
