"""Poller files are read and written to the byte, and a line that cannot be meant is named."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mvmdb.errors import InputError
from mvmdb.pollers.files import (
    PollerRow,
    find_named,
    format_poller_name,
    format_row,
    parse_row,
    read_poller,
    write_basic_poller,
    write_poller,
)

LINES = (
    "hst_12311_07_wfc3_uvis_f275w_ibj207r9_flc.fits,12311,BJ2,07,812.0,F275W,UVIS,skycell-p0778x18y20,OLD,"
    "/data/hap/skycell-p0778x18y20/hst_12311_07_wfc3_uvis_f275w_ibj207r9_flc.fits\n"
    "hst_9816_04_acs_wfc_f814w_j8oz04kp_flc.fits,9816,8OZ,04,347.0,CLEAR1L;F814W,WFC,skycell-p0778x18y20,OLD,"
    "/data/hap/skycell-p0778x18y20/hst_9816_04_acs_wfc_f814w_j8oz04kp_flc.fits\n"
)
ROW = PollerRow(
    "ib6o04tuq_flt.fits", 11359, "B6O", "04", 802.934753, "F125W", "IR", "skycell-p1889x07y19", "NEW",
    "/data/in box/ib6o04tuq_flt.fits",
)  # fmt: skip
WORD = st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters=","), min_size=1, max_size=20)


def write(folder: Path, text: str) -> Path:
    path = folder / "skycell-p0778x18y20_input.out"
    path.write_text(text)
    return path


def complaint(folder: Path, text: str) -> str:
    with pytest.raises(InputError) as caught:
        read_poller(write(folder, text))
    assert "skycell-p0778x18y20_input.out" in str(caught.value)
    return str(caught.value)


def test_operational_lines_come_back_to_the_byte(tmp_path: Path) -> None:
    poller = read_poller(write(tmp_path, LINES))
    assert poller.form == "full"
    assert write_poller(tmp_path / "copy.out", poller.rows)
    assert (tmp_path / "copy.out").read_text() == LINES
    second = poller.rows[1]
    assert (second.proposal_id, second.program_id, second.exptime, second.filters, second.flag) == (
        9816, "8OZ", 347.0, "CLEAR1L;F814W", "OLD",
    )  # fmt: skip


@given(
    st.builds(
        PollerRow,
        filename=WORD,
        proposal_id=st.integers(0, 99999),
        program_id=WORD,
        obset_id=WORD,
        exptime=st.floats(0, 1e6),
        filters=WORD,
        detector=WORD,
        skycell=st.just("skycell-p0000x01y21"),
        flag=st.sampled_from(["NEW", "OLD"]),
        pathname=WORD,
    )
)
def test_format_and_parse_are_inverses(row: PollerRow) -> None:
    assert parse_row(format_row(row)) == row


FIELD = st.text(st.characters(codec=None), max_size=12)


ROWS = st.builds(
    PollerRow, FIELD, st.integers(0, 10**6), FIELD, FIELD, st.floats(), FIELD, FIELD,
    st.just("skycell-p0000x01y21"), st.sampled_from(["NEW", "OLD"]), FIELD,
)  # fmt: skip


@given(st.lists(ROWS, min_size=1, max_size=4))
def test_what_is_written_is_read_again_or_is_refused(
    tmp_path_factory: pytest.TempPathFactory, rows: list[PollerRow]
) -> None:
    path = tmp_path_factory.mktemp("poller") / "p.out"
    try:
        write_poller(path, rows)
    except InputError:
        assert not path.exists()
        return
    assert read_poller(path).rows == tuple(rows)
    before = path.read_bytes()
    assert not write_poller(path, read_poller(path).rows)
    assert path.read_bytes() == before


@given(st.lists(FIELD, min_size=1, max_size=4))
def test_basic_names_that_are_written_are_read_again(
    tmp_path_factory: pytest.TempPathFactory, names: list[str]
) -> None:
    path = tmp_path_factory.mktemp("poller") / "p.out"
    try:
        write_basic_poller(path, names)
    except InputError:
        assert not path.exists()
        return
    assert read_poller(path).filenames == tuple(names)


PARTS = (
    *LINES.splitlines(),
    *LINES.split("\n", maxsplit=1)[0].split(","),
    "NEW",
    ",",
    "\n",
    "\r",
    "\x85",
    "\u2028",
    "nan",
)
LINE = st.sampled_from(PARTS)


@given(st.one_of(st.text(), st.lists(st.one_of(LINE, FIELD)).map("".join), st.lists(LINE, min_size=10).map(",".join)))
def test_any_text_is_a_poller_or_an_error(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.mktemp("poller") / "p.out"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    try:
        poller = read_poller(path)
    except InputError as error:
        words = str(error)
    else:
        assert poller.filenames
        assert all(math.isfinite(row.exptime) and row.exptime >= 0 for row in poller.rows)
        return
    assert str(path) in words
    assert len(words) < 1000


def test_basic_form_is_one_file_name_a_line(tmp_path: Path) -> None:
    names = ("ib6o04tuq_flt.fits", "jcz906dvq_flc.fits")
    assert write_basic_poller(tmp_path / "a.out", names)
    assert (tmp_path / "a.out").read_text() == "ib6o04tuq_flt.fits\njcz906dvq_flc.fits\n"
    poller = read_poller(tmp_path / "a.out")
    assert (poller.form, poller.rows, poller.filenames) == ("basic", (), names)


def test_blank_lines_and_windows_line_ends_are_read(tmp_path: Path) -> None:
    assert len(read_poller(write(tmp_path, "\n" + LINES.replace("\n", "\r\n") + "\n")).rows) == 2


def test_name_of_a_cells_poller() -> None:
    assert format_poller_name("skycell-p0778x18y20") == "skycell-p0778x18y20_input.out"


def test_equal_bytes_are_not_written_again(tmp_path: Path) -> None:
    path = tmp_path / "a.out"
    assert write_poller(path, [ROW])
    before = path.stat()
    assert not write_poller(path, [ROW])
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert write_poller(path, [replace(ROW, flag="OLD")])
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.out"]


def test_a_file_in_the_place_of_the_folder_is_an_error_and_leaves_it(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("dear")
    with pytest.raises(InputError, match="cannot be written"):
        write_poller(tmp_path / "file" / "a.out", [ROW])
    assert (tmp_path / "file").read_text() == "dear"


def test_a_failed_write_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.out"
    write_poller(path, [ROW])
    before = path.read_bytes()

    def refuse(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", refuse)
    with pytest.raises(InputError, match="No space left"):
        write_poller(path, [replace(ROW, flag="OLD")])
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.out"]


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"pathname": "/data/a,b/x.fits"}, "pathname"),
        ({"filename": "a\nb"}, "filename"),
        ({"filters": ""}, "filters"),
        ({"pathname": " /x"}, "pathname"),
        ({"exptime": float("nan")}, "exptime"),
        ({"exptime": -1.0}, "exptime"),
    ],
)
def test_values_that_no_line_can_hold_are_refused(tmp_path: Path, change: dict, word: str) -> None:
    with pytest.raises(InputError, match=word):
        write_poller(tmp_path / "a.out", [replace(ROW, **change)])
    assert list(tmp_path.iterdir()) == []


def test_no_rows_make_no_poller(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no rows"):
        write_poller(tmp_path / "a.out", [])


def test_nine_columns_are_an_error_with_line_and_columns(tmp_path: Path) -> None:
    first, second = LINES.splitlines()
    text = complaint(tmp_path, f"{first}\n{second.rsplit(',', 1)[0]}\n")
    assert "line 2" in text
    assert "9 columns found, expected 10" in text
    assert "mvmdb poller" in text


@pytest.mark.parametrize(
    ("old", "new", "word"),
    [
        ("OLD", "STALE", "'STALE', expected NEW or OLD"),
        ("skycell-p0778x18y20,", "skycell-p9999x18y20,", "no projection cell 9999"),
        ("skycell-p0778x18y20,", "somewhere,", "not a sky cell"),
        ("812.0", "long", "exptime is 'long'"),
        ("812.0", "nan", "exptime is 'nan'"),
        ("812.0", "-3", "exptime is '-3'"),
        (",12311,", ",A12,", "proposal_id is 'A12'"),
        ("F275W", "", "filters is empty"),
    ],
)
def test_a_bad_column_is_an_error_with_its_line(tmp_path: Path, old: str, new: str, word: str) -> None:
    text = complaint(tmp_path, LINES.replace(old, new, 1))
    assert "line 1" in text
    assert word in text


def test_an_empty_poller_is_an_error(tmp_path: Path) -> None:
    assert "empty" in complaint(tmp_path, "\n\n")


def test_mixed_forms_are_an_error(tmp_path: Path) -> None:
    assert "line 3: full and basic lines are mixed" in complaint(tmp_path, LINES + "ib6o04tuq_flt.fits\n")
    assert "line 2: full and basic lines are mixed" in complaint(tmp_path, "ib6o04tuq_flt.fits\n" + LINES)


@pytest.mark.parametrize(
    "text",
    [
        LINES + LINES.splitlines()[0] + "\n",
        "ib6o04tuq_flt.fits\nib6o04tuq_flt.fits\n",
    ],
)
def test_a_file_that_stands_twice_is_an_error(tmp_path: Path, text: str) -> None:
    assert "is on line 1 already" in complaint(tmp_path, text)


def test_two_files_of_one_exposure_may_stand_side_by_side(tmp_path: Path) -> None:
    (tmp_path / "poller.out").write_text("jcz906dvq_flc.fits\njcz906dvq_flt.fits\n")
    assert read_poller(tmp_path / "poller.out").filenames == ("jcz906dvq_flc.fits", "jcz906dvq_flt.fits")


def test_one_exposure_may_stand_in_two_sky_cells(tmp_path: Path) -> None:
    line = LINES.splitlines()[0]
    other = line.replace(",skycell-p0778x18y20,", ",skycell-p0778x19y20,")
    assert len(read_poller(write(tmp_path, f"{line}\n{other}\n")).rows) == 2


def test_a_poller_that_is_not_there_or_no_text_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        read_poller(tmp_path / "absent.out")
    (tmp_path / "binary.out").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="cannot be read"):
        read_poller(tmp_path / "binary.out")


def test_files_that_do_not_exist_are_told_of(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"ibj207r9_flc\.fits and 1 more"):
        find_named(read_poller(write(tmp_path, LINES)), tmp_path)
    (tmp_path / "ib6o04tuq_flt.fits").touch()
    write_basic_poller(tmp_path / "a.out", ["ib6o04tuq_flt.fits"])
    poller = read_poller(tmp_path / "a.out")
    assert find_named(poller, tmp_path) == {"ib6o04tuq_flt.fits": str(tmp_path / "ib6o04tuq_flt.fits")}
    with pytest.raises(InputError, match="ib6o04tuq"):
        find_named(poller, tmp_path / "elsewhere")


@pytest.mark.parametrize("named", ["/another/machine/ib6o04tuq_flt.fits", "visit/ib6o04tuq_flt.fits"])
def test_a_path_that_is_not_there_stands_for_the_file_beside_the_poller(named: str, tmp_path: Path) -> None:
    write_basic_poller(tmp_path / "a.out", [named])
    beside = tmp_path / "ib6o04tuq_flt.fits"
    beside.touch()
    poller = read_poller(tmp_path / "a.out")
    assert find_named(poller, tmp_path) == {named: str(beside)}
    (tmp_path / "visit").mkdir()
    (tmp_path / "visit" / beside.name).touch()
    there = tmp_path / "visit" / beside.name if named.startswith("visit") else beside
    assert find_named(poller, tmp_path) == {named: str(there)}, "a file that is where the poller says comes first"


@pytest.mark.parametrize("column", ["1", "1.0", "skycell-p0001x01y01", "NEW"])
def test_a_field_of_five_thousand_digits_is_an_error_of_one_line(column: str, tmp_path: Path) -> None:
    line = "ib6o04tuq_flt.fits,1,B6O,04,1.0,F125W,IR,skycell-p0001x01y01,NEW,/x/ib6o04tuq_flt.fits"
    path = tmp_path / "p.out"
    path.write_text(line.replace(f",{column},", f",{'9' * 5000},") + "\n")
    with pytest.raises(InputError, match=r"p\.out, line 1: ") as caught:
        read_poller(path)
    assert len(str(caught.value)) < 400 + len(str(path))
