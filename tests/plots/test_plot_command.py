"""The command plot on a real archive, and without one."""

from __future__ import annotations

import datetime as dt
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa
from archive import Archive, call
from demonstration import Demo
from PIL import Image

import mvmdb
from mvmdb.catalog.ask.plotted import load_layer, load_positions, load_seconds
from mvmdb.catalog.ask.search.question import Question
from mvmdb.catalog.ask.standing import load_standing
from mvmdb.catalog.clock import now
from mvmdb.catalog.open import open_catalog
from mvmdb.errors import CatalogError, UsageError
from mvmdb.schema import tables as t

LAYER = "hst_skycell-p0647x10y11_wfc3_ir_f125w_all"


@pytest.mark.parametrize(
    "words",
    [("skycell", "p0647x10y11"), ("layer", LAYER), ("history",), ("coverage", "--filter", "f125w"), ("cell", "647")],
    ids=lambda words: words[0],
)
def test_every_plot_of_the_demonstration_is_drawn(words: tuple[str, ...], demo: Demo, tmp_path: Path) -> None:
    archive = Archive(demo.folder, str(demo.folder / "mvm.db"))
    done = call(archive, "plot", *words, "-o", str(tmp_path / "plot.png"))
    assert (done.exit_code, done.output) == (0, ""), done.exception
    with Image.open(tmp_path / "plot.png") as image:
        assert min(image.size) > 700


def test_the_sky_is_drawn_without_a_catalog_and_none_is_made(tmp_path: Path) -> None:
    archive = Archive(tmp_path, str(tmp_path / "none.db"))
    done = call(archive, "plot", "pole", "-o", str(tmp_path / "pole.svg"))
    assert done.exit_code == 0, done.exception
    assert [path.name for path in tmp_path.iterdir()] == ["pole.svg"]
    refused = call(archive, "plot", "pole", "--filter", "f125w", "-o", str(tmp_path / "other.svg"))
    assert isinstance(refused.exception, CatalogError)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("cell", "2644"), "there is no projection cell 2644"),
        (("cell", "x"), "'x' is no projection cell; expected a number from 0 to 2643"),
        (("skycell", "p0001x01y01"), "holds no exposure of this catalog"),
        (("layer", LAYER.replace("f125w", "f105w")), "has no mosaic; see `mvmdb search products`"),
    ],
)
def test_what_is_not_known_is_refused(words: tuple[str, ...], expected: str, demo: Demo, tmp_path: Path) -> None:
    archive = Archive(demo.folder, str(demo.folder / "mvm.db"))
    refused = call(archive, "plot", *words, "-o", str(tmp_path / "plot.png"))
    assert isinstance(refused.exception, mvmdb.MvmdbError)
    assert expected in str(refused.exception)
    assert not list(tmp_path.iterdir())


def test_a_program_gets_the_figure(demo: Demo) -> None:
    archive = mvmdb.open(demo.folder / "mvm.db")
    figure = archive.plot("coverage", filters="f125w")
    assert [text.get_text() for text in figure.axes[0].get_yticklabels()] == ["WFC3/IR F125W  (6)"]
    with pytest.raises(UsageError, match="expected a sky cell"):
        archive.plot("skycell")
    with pytest.raises(UsageError, match="cannot be plotted"):
        archive.plot("nothing")  # type: ignore[arg-type]


def test_without_the_library_plots_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    refused = call(Archive(tmp_path, str(tmp_path / "mvm.db")), "plot", "sky", "-o", str(tmp_path / "sky.png"))
    assert isinstance(refused.exception, UsageError)
    assert "pip install 'mvmdb[pictures]'" in str(refused.exception)


def test_the_catalog_gives_positions_times_and_files(archive: Archive) -> None:
    archive.expose(shape=(40, 40))
    archive.expose("ib6o04twq", east=30.0, shape=(40, 40), exptime=200.0)
    archive.night()
    hour_before = now() - dt.timedelta(hours=1)
    with open_catalog(archive.address) as engine, engine.begin() as connection:  # a night may take less than a second
        connection.execute(sa.update(t.run).values(started_at=hour_before))
        connection.execute(sa.update(t.event).where(t.event.c.kind == "exposure-new").values(at=hour_before))
    archive.expose("ib6o04txq", east=900.0, shape=(40, 40))
    archive.ingest()
    (total,) = archive.rows("SELECT sum(exptime) FROM exposure")[0]
    expected = seconds_of_cells(archive)
    layer, filename = archive.rows("SELECT layer, filename FROM product ORDER BY layer")[0]
    fresh, stale = archive.rows(
        "SELECT sum(CASE WHEN stale THEN 0 ELSE 1 END), sum(CASE WHEN stale THEN 1 ELSE 0 END) FROM layer"
    )[0]
    with open_catalog(archive.address, read_only=True) as engine, engine.connect() as connection:
        positions = load_positions(connection, Question("exposures"))
        assert len(positions.ra) == 3
        assert positions.exptime.sum() == pytest.approx(total)
        seconds = load_seconds(connection, Question("exposures"), 726)
        assert seconds == expected
        file = load_layer(connection, filename)
        assert (file.name, file.path.is_file(), len(file.s_regions)) == (layer, True, 2)
        standing = load_standing(connection)
    assert (standing.fresh[-1], standing.stale[-1]) == (fresh, stale)
    assert (standing.fresh[0], standing.stale[0]) == (0, 2), "both layers of the first night were to be made"
    assert standing.fresh.max() == 2
    assert (standing.fresh[-2], standing.stale[-2]) == (fresh, stale), "the history tells what is so now"


def seconds_of_cells(archive: Archive) -> dict[tuple[int, int], float]:
    rows = archive.rows(
        "SELECT s.x, s.y, sum(e.exptime) FROM skycell s JOIN membership m ON m.skycell_id = s.id "
        "JOIN exposure e ON e.id = m.exposure_id WHERE s.projection_cell = 726 GROUP BY s.x, s.y"
    )
    return {(x, y): pytest.approx(value) for x, y, value in rows}
