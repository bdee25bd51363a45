"""The parts of `make accuracy` at tiny sizes, without drizzlepac: their figures hold, and the page takes them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from generated import Block, fill_page, marks, write_page
from PIL import Image
from skyfield import Shot, SkyField

from bench.apertures import CASES
from bench.shifts import Measured, flagged_of, precision_of
from conformance.accuracy import cells, errors, flux, growth, place, shallow, skies
from conformance.accuracy.run import MAKER, PAGE, PARTS, REPOSITORY, find_peer, find_shared
from conformance.accuracy.ways import NOT_RUN, Plane, Setting, table

pytestmark = pytest.mark.slow

Rows = dict[str, dict[str, str]]


@pytest.fixture
def setting(tmp_path: Path) -> Setting:
    return Setting(tmp_path / "work", tmp_path / "figures", None, tmp_path / "no-shared-data")


def read(block: Block) -> Rows:
    """The rows of a table, by their first cells; each has the other cells by heading."""
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in block[1].splitlines()]
    heads, rule, *rows = lines
    assert set(rule) == {"---"}
    assert {len(row) for row in rows} == {len(heads)}
    return {row[0]: dict(zip(heads, row, strict=True)) for row in rows}


def is_drawn(path: Path) -> bool:
    """Whether a picture has the page's width and many colours, and is a small file."""
    with Image.open(path) as image:
        grey = np.asarray(image.convert("L"))
    return grey.shape[1] == 900 and len(np.unique(grey)) > 30 and grey.std() > 20 and path.stat().st_size < 400_000


# Figures


def test_fluxes_are_right_by_the_method_mvmdb_and_a_new_photflam_is_told(setting: Setting) -> None:
    found = dict(flux.measure(setting, cases=["1, 1.02, 1.02, 1.04"], stars_a_side=2, size=110, methods=["mvmdb"]))
    lines = [line for line in found["flux"].splitlines() if line.startswith("| 1, 1.02")]
    assert [line.split("`")[1] for line in lines] == ["drizzle", "recanvas", "add"]
    for line in lines:
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        assert cells[2:4] == ([NOT_RUN] * 2 if "drizzle" in line else ["-"] * 2)
        mean, most, our_mean, our_most = (float(cell.removesuffix("%")) for cell in cells[4:])
        assert 1.0 < abs(mean) < most
        assert abs(our_mean) <= our_most < 0.1
    rows = read(("recalibrated", found["recalibrated"]))
    assert {row["action"] for row in rows.values()} == {"`rescale`"}
    assert all(row["reason"].startswith("`member-recalibrated`: PHOTFLAM 2.24") for row in rows.values())
    assert {row["PHOTFLAM of the mosaic"] for row in rows.values()} == {"x 1.0300"}
    assert {row["SCI"] for row in rows.values()} == {"equal to the bit"}


def test_offsets_of_a_galaxy_and_of_a_crowd_are_right_and_drawn(setting: Setting) -> None:
    found = dict(skies.measure(setting, side=100, real=False))
    for row in read(("offsets", found["offsets"])).values():
        assert row["drizzlepac"] == NOT_RUN
        assert float(row["mvmdb"]) < 0.01
        assert float(row["hap"]) > 0.03
    assert all(float(row["700"]) < 1.5 for row in read(("sparse", found["sparse"])).values())
    assert is_drawn(setting.figures / "galaxy-seam.png")


def test_neighbouring_sky_cells_agree_and_the_strip_is_drawn(setting: Setting) -> None:
    (block,) = cells.measure(setting, side=100)
    rows = read(block)
    assert float(rows["median, electrons/s a detector pixel"]["hap"]) == pytest.approx(0.6, abs=0.02)
    assert float(rows["in units of the sky's sigma"]["mvmdb"]) < 0.001
    assert float(rows["largest, in sigma"]["mvmdb"]) < 0.001
    assert is_drawn(setting.figures / "cell-seam.png")


def test_growth_ends_as_a_rebuild(setting: Setting) -> None:
    (block,) = growth.measure(setting, nights=3, side=40)
    rows = read(block)
    assert float(rows["pedestal, in sigma of the mosaic"]["mvmdb"]) < 0.02
    assert float(rows["largest difference of a pixel, in sigma of the mosaic"]["mvmdb"]) < 0.02
    assert float(rows["pedestal, in sigma of the mosaic"]["hap"]) > 0.1
    assert rows["actions"]["drizzlepac"] == "drizzle 3"


def test_steps_and_cosmic_rays_vanish_where_one_exposure_is_deep(setting: Setting) -> None:
    (block,) = shallow.measure(setting, side=96)
    rows = read(block)
    step = rows["step of the sky, in sigma of an exposure"]
    assert float(step["hap"]) == pytest.approx(3.7, abs=0.2)
    assert float(step["mvmdb"]) < 0.2
    shining = rows["pixels of the overlap where a flagged cosmic ray shines"]
    assert int(shining["hap"]) > 20
    assert int(shining["mvmdb"]) == 0
    assert len({rows["exposed pixels"][way] for way in ("hap", "mvmdb")}) == 1


def test_moved_exposures_are_aligned_to_a_tenth_of_a_pixel(setting: Setting) -> None:
    field, source = SkyField(n=40, side=36.0, seed=8), setting.folder / "source"
    for name, east, north in (("tu", 0, 0), ("tw", 4, 3), ("ua", -3, 2), ("uw", 2, -4)):
        field.expose(source, Shot(name, east, north), shape=(200, 200))
    rows = read(("aligned", place.measure_alignment(source, setting.below("aligned"))))
    true = rows["largest true distance of a pair, pixels"]
    assert float(true["`--frames any`"]) == pytest.approx(np.hypot(2.5, 2.2), abs=0.01)
    assert float(true["`--frames align`"]) < 0.1
    assert float(rows["largest distance that the catalog has"]["`--frames align`"]) < 0.1


def test_pairs_are_counted_by_what_is_true_and_what_is_flagged() -> None:
    pairs = [
        Measured(1.0 + 0j, 1.1 + 0j, 0.1, 5), Measured(2.0 + 0j, None, 0.0, 2), Measured(0.6 + 0j, 0.1 + 0j, 0.1, 20),
        Measured(0j, 0.02 + 0j, 0.02, 100), Measured(0j, 0.8 + 0j, 0.1, 6),
    ]  # fmt: skip
    apart, together = flagged_of(pairs)
    assert (apart.pairs, apart.too_few, apart.flagged) == (3, 1, 1)
    assert (place.say_share(apart), place.say_share(together)) == ("1 of 2 (50.0%)", "1 of 2 (50.0%)")
    assert [one.pairs for one in precision_of(pairs)] == [2, 1, 1]
    rows = place.say_precision(0, pairs)
    assert [row[1] for row in rows] == ["4 to 7", "16 to 31", "64 and more"]
    assert rows[2][3:5] == ["0.020", "0.020"]


def test_errors_of_sums_are_right_with_their_correlation_and_ivm_is_least(setting: Setting) -> None:
    found = dict(errors.measure(setting, size=130, side=100, radii=(2.0, 5.0), cases=CASES[1:4:2], real=False))
    for name, row in read(("apertures", found["apertures"])).items():
        before, after, _ = (float(cell) for cell in row["r = 5"].split(","))
        assert before > 1.4, name
        assert after == pytest.approx(1.0, abs=0.15), name
    (row,) = read(("weights", found["weights"])).values()
    assert float(row["`--weight exptime`"]) > 2.0
    assert float(row["`--weight ivm`"]) == pytest.approx(1.0, abs=0.1)


# The page


def test_a_part_is_written_between_its_marks_and_nothing_else_changes(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    begin, end = marks("flux", MAKER)
    page.write_text(f"prose\n\n{begin}\nold\n{end}\n\nmore prose\n")
    write_page(page, [("flux", "| a |")], MAKER)
    write_page(page, [("flux", r"| \1 b |")], MAKER)
    assert page.read_text() == f"prose\n\n{begin}\n\n| \\1 b |\n\n{end}\n\nmore prose\n"
    with pytest.raises(ValueError, match="0 parts 'other'; expected one"):
        fill_page(page.read_text(), [("other", "")], MAKER)


def test_every_part_of_the_page_is_filled_and_its_figures_are_there() -> None:
    text = (REPOSITORY / PAGE).read_text(encoding="utf-8")
    names = [
        line.split()[1].rstrip(":") for line in text.splitlines() if line.startswith("<!-- ") and "made by" in line
    ]
    assert {f"{part}-versions" for part in PARTS} < set(names)
    for name in names:
        begin, end = marks(name, MAKER)
        content = text.split(begin)[1].split(end)[0].strip()
        assert content, f"run make accuracy: {name} is empty"
        assert NOT_RUN not in content
        if not name.endswith("-versions"):
            read((name, content))
    for figure in ("cell-seam.png", "galaxy-seam.png"):
        assert f"figures/{figure}" in text
        assert is_drawn(REPOSITORY / "docs/figures" / figure)


def test_what_is_missing_is_said_with_its_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    missing = tmp_path / "python"
    with pytest.raises(SystemExit, match=r"expected drizzlepac's environment: run make \.venv-conformance/\.ready"):
        find_peer(missing, ["flux"], only_print=False)
    assert find_peer(missing, ["flux"], only_print=True) is None
    assert find_peer(missing, ["growth"], only_print=False) is None
    monkeypatch.setenv("MVMDB_SHARED", str(tmp_path / "nothing"))
    with pytest.raises(SystemExit, match="which skies, errors read"):
        find_shared(["flux", "skies", "errors"])
    find_shared(["flux"])


# Its tools


def test_a_plane_is_cut_where_it_is_and_empty_elsewhere() -> None:
    plane = Plane(np.arange(6.0).reshape(2, 3), -1, 4)
    cut = plane.cut(-2, 3, (3, 3))
    assert np.array_equal(cut, [[np.nan] * 3, [np.nan, 0, 1], [np.nan, 3, 4]], equal_nan=True)
    assert np.array_equal(plane.cut(0, 4, (1, 4)), [[1, 2, np.nan, np.nan]], equal_nan=True)
    assert np.isnan(plane.cut(50, 4, (1, 4))).all()
    assert np.isnan(plane.cut(-50, 4, (2, 4))).all()


def test_a_table_has_a_rule_below_its_headings() -> None:
    assert table(["a", "b"], [["1", "2"]]) == "| a | b |\n| --- | --- |\n| 1 | 2 |"
