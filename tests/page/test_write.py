"""What the page's files say, which of them are written, and what is refused."""

from __future__ import annotations

import datetime as dt
import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import healpy
import pytest
from archive import CELL, FINE, Archive, call
from skymap import HOSTILE

import mvmdb
from mvmdb.catalog.ask.page.places import Place
from mvmdb.catalog.open import open_catalog
from mvmdb.errors import InputError, UsageError
from mvmdb.page import cells, memory
from mvmdb.page.cells import LAYER
from mvmdb.page.chunks import share_out
from mvmdb.page.tree import SOURCES, PageTree
from mvmdb.page.values import PageOptions


def read(folder: Path, key: str) -> Any:
    """The value in a file of data."""
    text = (folder / "data" / f"{key}.js").read_text("ascii")
    prefix = f'mvmdbPage.put("{key}",'
    assert text.startswith(prefix)
    assert text.endswith(");\n")
    return json.loads(text.removeprefix(prefix).removesuffix(");\n"))


def state(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Content and time of every file."""
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): (path.read_bytes(), path.stat().st_mtime_ns) for path in paths}


def contents(folder: Path) -> dict[str, bytes]:
    """The content of every file of the page, but for what only the next run needs."""
    return {name: content for name, (content, _) in state(folder).items() if "lock" not in name and name != SOURCES}


def unpacked(tally: dict[str, list[int]]) -> Counter[tuple[int, ...]]:
    """(key, filter, month, program) with the number of exposures."""
    counts: Counter[tuple[Any, ...]] = Counter()
    key = 0
    for i, step in enumerate(tally["k"]):
        key += step
        filters, programs = tally["filters"], tally["programs"]
        counts[key, filters[tally["f"][i]], tally["m"][i], programs[tally["q"][i]]] += tally["n"][i]
    return counts


def month(mjd: float) -> int:
    day = dt.date(1858, 11, 17) + dt.timedelta(days=int(mjd))
    return (day.year - 1990) * 12 + day.month - 1


def test_tallies_are_those_of_the_exposures_on_either_database(archive: Archive, tmp_path: Path) -> None:
    archive.expose("ib6o04tuq", wcsname="IDC_x-FIT_REL_GAIAeDR3")
    archive.expose("ib6o04uaq", filters="F160W", expstart=55200.5, exptime=100.0004)
    archive.expose("ib6o04ubq", filters="F160W", expstart=55230.5, wcsname="IDC_x-FIT_REL_GSC240")
    archive.expose("ib6o04ucq", filters="G141")  # in no layer
    archive.expose("ib7o04udq", ra=200.0, dec=41.0, primary={"PROPOSID": 12062, "TARGNAME": HOSTILE})
    archive.ingest()
    done = mvmdb.open(archive.address).page(tmp_path / "map")
    assert (done.exposures, done.layers, done.attention) == (4, 6, False)
    rows = archive.rows(
        "SELECT ra, dec, filter, expstart, proposal_id FROM exposure WHERE eligible AND withdrawn_at IS NULL"
    )
    expected: Counter[tuple[Any, ...]] = Counter()
    for ra, dec, filter_, start, program in rows:
        pixel = int(healpy.ang2pix(512, ra, dec, nest=True, lonlat=True))
        expected[pixel, filter_, month(start), program] += 1
    found: Counter[tuple[Any, ...]] = Counter()
    index = read(tmp_path / "map", "index")
    for tile in index["tiles"]:
        for (key, *rest), n in unpacked(read(tmp_path / "map", f"tiles/{tile}")).items():
            found[tile * 4096 + key, *rest] += n
    assert found == expected
    seconds = archive.rows("SELECT exptime FROM exposure WHERE eligible")
    total = sum(round(1000 * row[0]) for row in seconds)
    assert [sum(index["sky"][name]) for name in ("n", "t", "s", "g", "o")] == [4, total, 4, 1, 1]
    mixing = "SELECT count(DISTINCT exposure_id) FROM layer_member m JOIN layer l ON l.id = m.layer_id"
    ((mixed,),) = archive.rows(f"{mixing} WHERE l.mixed_arcmin2 > 0")
    assert sum(index["sky"]["x"]) == mixed > 0
    cells = read(tmp_path / "map", "cells/p0726")
    named = archive.rows("SELECT id FROM skycell WHERE projection_cell = 726 ORDER BY id")
    assert cells["cells"] == [key - 726 * 441 for (key,) in named]
    assert HOSTILE not in "".join(path.read_text() for path in (tmp_path / "map").rglob("*.js"))  # `<` is escaped


def test_a_second_run_writes_nothing_and_a_night_only_what_changed(tmp_path: Path) -> None:
    archive = Archive(tmp_path, str(tmp_path / "mvm.db"))
    archive.inbox.mkdir()
    archive.expose("ib6o04tuq")
    archive.expose("ib7o04udq", ra=200.0, dec=41.0)
    archive.ingest()
    opened, folder = mvmdb.open(archive.address), tmp_path / "map"
    opened.page(folder)
    first = state(folder)
    again = opened.page(folder)
    assert (again.written, again.removed, again.unchanged) == (0, 0, again.files)
    assert {name: kept for name, kept in state(folder).items() if "lock" not in name} == {
        name: kept for name, kept in first.items() if "lock" not in name
    }
    (folder / "robots.txt").write_text("mine")
    (folder / "data" / "cells" / "p0001.js.new").write_text("left by a killed run")
    archive.expose("ib6o04tvq", east=3.0)
    archive.ingest()
    opened.withdraw("ib7o04ud", why="test")
    opened.page(folder)
    last = state(folder)
    assert "robots.txt" in last
    assert not [name for name in last if name.endswith(".new")]
    gone = {name for name in first if name not in last}
    places = ("data/cells", "data/layers", "data/prints")
    far = {name for name in first if name.startswith(places) and "p0726" not in name}
    assert far
    assert far <= gone
    assert first["assets/app.js"] == last["assets/app.js"]
    opened.page(tmp_path / "fresh")
    (folder / "robots.txt").unlink()
    assert contents(folder) == contents(tmp_path / "fresh")


CHANGES = (
    "UPDATE exposure SET target = 'M101' WHERE ipppssoo = 'ib6o04tu'",
    "UPDATE exposure SET exptime = 77 WHERE ipppssoo = 'ib6o04tu'",
    "UPDATE exposure SET frame = 'gaia' WHERE ipppssoo = 'ib6o04tv'",
    "UPDATE exposure SET s_region = (SELECT s_region FROM exposure WHERE id = 2) WHERE id = 1",
    "UPDATE layer SET failure = 'no' WHERE id = 1",
    "UPDATE layer SET failure = NULL, mixed_arcmin2 = 0.5 WHERE id = 1",
    "UPDATE product SET data_digest = '0123456789abcdef', state = 'damaged'",
    "UPDATE product SET state = 'missing'",
    "DELETE FROM event WHERE id > 3",
    "DELETE FROM layer_member WHERE exposure_id = 1 AND layer_id = 1",
    "DELETE FROM layer_member WHERE layer_id IN (SELECT id FROM layer WHERE skycell_id < 727 * 441)",
    "DELETE FROM product",
)


def test_what_is_remembered_is_made_anew_where_anything_differs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After each change a page brought up to date is the one that is made anew, and other cells are not made."""
    archive = Archive(tmp_path, str(tmp_path / "mvm.db"))
    archive.inbox.mkdir()
    for name, east in (("ib6o04tuq", 0.0), ("ib6o04tvq", 3.0)):
        archive.expose(name, east=east)
    archive.night()
    archive.expose("ib7o04udq", ra=200.0, dec=41.0)
    archive.ingest()
    opened, folder = mvmdb.open(archive.address), tmp_path / "map"
    made: list[int] = []

    def write_cells(tree: PageTree, place: Place, *rest: Any) -> int:
        made.append(place.projection_cell)
        return cells.write_cells(tree, place, *rest)

    monkeypatch.setattr(memory, "write_cells", write_cells)
    opened.page(folder)
    n_cells, (changed, *_), far = len(made), made, made[-1]
    made.clear()
    opened.page(folder)
    assert n_cells > 1
    assert not made
    for number, change in enumerate(CHANGES):
        with open_catalog(archive.address) as engine, engine.begin() as connection:
            assert connection.exec_driver_sql(change).rowcount > 0, change
        opened.page(folder)
        assert far not in made, change
        assert changed in made, change
        opened.page(tmp_path / f"fresh{number}")
        assert contents(folder) == contents(tmp_path / f"fresh{number}"), change
        made.clear()
    whole = contents(folder)
    (name,) = (one for one in whole if one.startswith(f"data/cells/p{far:04d}"))
    for spoil in (Path.unlink, lambda path: path.write_bytes(b"x" * path.stat().st_size)):
        spoil(folder / name)
        opened.page(folder)
        assert contents(folder) == whole
    for content in (b"", b"[1]", b'{"726": 3}', b'{"726": ["x", 1, {"data/cells/p0726.js": 7}]}', b"\xff"):
        (folder / SOURCES).write_bytes(content)
        opened.page(folder)
        assert contents(folder) == whole


def test_a_row_that_names_another_file_leads_nowhere(tmp_path: Path) -> None:
    archive = Archive(tmp_path, str(tmp_path / "mvm.db"))
    archive.inbox.mkdir()
    archive.expose("ib6o04tuq")
    archive.night()
    (tmp_path / "outside").mkdir()
    product = archive.products / CELL / f"{FINE}_drz.fits"
    (tmp_path / "outside" / product.name).write_bytes(product.read_bytes())
    with open_catalog(archive.address) as engine, engine.begin() as connection:
        connection.exec_driver_sql(f"UPDATE product SET filename = '../../outside/' || filename WHERE layer = '{FINE}'")
    done = mvmdb.open(archive.address).page(tmp_path / "map", pictures=True)
    assert (done.pictures, done.problems) == (1, ())
    assert not any(b"outside" in path.read_bytes() for path in (tmp_path / "map").rglob("*.js"))


def test_pictures_are_made_when_products_change(tmp_path: Path) -> None:
    archive = Archive(tmp_path, str(tmp_path / "mvm.db"))
    archive.inbox.mkdir()
    archive.expose("ib6o04tuq")
    archive.night()
    opened, folder = mvmdb.open(archive.address), tmp_path / "map"
    assert opened.page(folder, pictures=True).pictures == 2
    pictures = sorted((folder / "pictures" / CELL).iterdir())
    assert all(path.read_bytes().startswith(b"\xff\xd8") for path in pictures)
    assert opened.page(folder, pictures=True).pictures == 0
    archive.expose("ib6o04tvq", east=1.0)
    archive.night()
    assert opened.page(folder, pictures=True).pictures == 2
    assert not set(pictures) & set((folder / "pictures" / CELL).iterdir())
    (archive.products / CELL / f"{FINE}_drz.fits").write_bytes(b"damaged")
    shutil.rmtree(folder / "pictures")
    done = opened.page(folder, pictures=True)
    assert done.attention
    assert f"{FINE}_drz.fits: no picture could be made" in done.problems[0]
    (archive.products / CELL / f"{FINE}_drz_thumb.jpg").write_bytes(b"\xff\xd8")
    opened.page(folder, products_url="https://archive.example/products/")
    details = read(folder, "layers/p0726-0")["cells"]
    products = [layer[LAYER.index("product")] for cell in details.values() for layer in cell["layers"]]
    (product,) = (product for product in products if product["file"] == f"{FINE}_drz.fits")
    assert product["picture"] == f"https://archive.example/products/{CELL}/{FINE}_drz_thumb.jpg"
    assert "img-src 'self' data: https://archive.example;" in (folder / "index.html").read_text()


def test_an_orphaned_product_is_shown_where_it_lies(tmp_path: Path) -> None:
    archive = Archive(tmp_path, str(tmp_path / "mvm.db"))
    archive.inbox.mkdir()
    archive.expose("ib6o04tuq")
    archive.night()
    opened = mvmdb.open(archive.address)
    opened.withdraw("ib6o04tu", why="test")
    opened.page(tmp_path / "map")
    cells = read(tmp_path / "map", "cells/p0726")
    assert (cells["layers"], cells["orphans"]) == ([0], [2])
    (cell,) = read(tmp_path / "map", "layers/p0726-0")["cells"].values()
    assert sorted(name for name, _ in cell["orphans"])[0] == FINE


def test_an_empty_archive_has_a_page(tmp_path: Path) -> None:
    mvmdb.open(tmp_path / "mvm.db", create=True).page(tmp_path / "map")
    index = read(tmp_path / "map", "index")
    assert (index["exposures"], index["tiles"], index["months"], index["sky"]["k"]) == (0, [], None, [])


def test_a_folder_of_something_else_is_refused_and_left_alone(tmp_path: Path) -> None:
    opened = mvmdb.open(tmp_path / "mvm.db", create=True)
    for name in ("index.html", "data/table.csv"):
        folder = tmp_path / name.replace("/", "-")
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_text("mine")
        with pytest.raises(UsageError, match="is not of a page of mvmdb; expected a folder of the page's own"):
            opened.page(folder)
        assert [path.read_text() for path in folder.rglob("*") if path.is_file()] == ["mine"]
    (tmp_path / "file").write_text("mine")
    with pytest.raises(InputError, match="expected a folder that the page can be written to"):
        opened.page(tmp_path / "file")


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "data:text/html,x", "https://a b", 'https://a"b', "https://a;b"]
)
def test_addresses_that_are_none_are_refused(url: str) -> None:
    with pytest.raises(UsageError, match="expected an address like https://host/products"):
        PageOptions(products_url=url)
    with pytest.raises(UsageError, match="expected an address like https://host/products"):
        PageOptions(sql_url=url)


def test_the_command_says_what_it_wrote(archive: Archive, tmp_path: Path) -> None:
    archive.expose("ib6o04tuq")
    archive.ingest()
    folder = tmp_path / "map"
    done = call(archive, "page", "-o", str(folder), "--title", "Mine", "--sql-url", "https://sql.example/mvm")
    assert done.exit_code == 0
    assert f"{folder}/index.html: 1 exposures, 1 sky cells, 2 layers; " in done.output
    report = json.loads(call(archive, "page", "-o", str(folder), "--title", "Mine", "--json").output)
    assert report["skycells"] == 1
    assert report["first_view"] < 200_000
    index = read(folder, "index")
    assert (index["title"], index["sqlUrl"]) == ("Mine", None)


def test_files_are_full_but_cells_are_not_divided() -> None:
    assert share_out([3, 3, 3, 9, 1, 1], 6) == [0, 0, 1, 2, 3, 3]
    assert share_out([], 6) == []
