"""The command `coverage export`: what it says, and what it refuses without writing anything."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from pointings import POINTINGS

import mvmdb
from mvmdb.cli import commands
from mvmdb.errors import UsageError


def call(archive: mvmdb.Archive, *words: object) -> Result:
    return CliRunner().invoke(commands, ["--db", archive.address, "coverage", *map(str, words)])


def test_it_says_what_it_wrote_in_words_and_in_json(places: mvmdb.Archive, tmp_path: Path) -> None:
    path = tmp_path / "deep" / "a.fits"
    done = call(places, "export", "moc", "-o", path, "--filter", "f125w", "--order", 12)
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith(f"{path}: 2 rows, ")
    done = call(places, "export", "moc", "-o", path, "--dimensions", "time", "--json")
    assert json.loads(done.stdout) == [{"path": str(path), "rows": 6, "left_out": 1, "area_arcmin2": None}]
    done = call(places, "export", "moc", "-o", path, "--dimensions", "time")
    assert done.stdout == f"{path}: 6 rows; 1 without dates left out\n"
    done = call(places, "export", "moc", "--by", "program", "-o", tmp_path / "maps", "--filter", "f275w")
    assert done.stdout == "0 exposures meet the conditions; nothing to write\n"


def test_conditions_are_those_of_search(places: mvmdb.Archive, tmp_path: Path) -> None:
    for words, n in (
        (("--camera", "acs"), 2),
        (("--at", 53.1, -27.8), 3),
        (("--at", 0, -90), 1),
        (("--target", "o'brien"), 1),
        (("--date", "2009-06-19", "2009-06-21"), 3),
        (("--program", 11359, "--filter", "f160w"), 1),
        ((), len(POINTINGS)),
    ):
        for format, name in (("ds9", "a.reg"), ("obscore", "a.vot")):
            done = call(places, "export", format, "-o", tmp_path / name, *words, "--json")
            assert [file["rows"] for file in json.loads(done.stdout)] == [n], words


REFUSALS: dict[tuple[str, ...], str] = {
    ("moc", "-o", "a.png"): "expected a name that ends in .fits, .json, .txt",
    ("moc", "-o", "there.fits", "--by", "filter"): "expected a folder",
    ("ds9", "-o", "."): "expected the name of a file",
    ("ds9", "-o", "a.reg", "--order", "3"): "expected none of them for ds9",
    ("obscore", "-o", "a.vot", "--by", "filter"): "expected none of them for obscore",
    ("geojson", "-o", "a.json", "--camera", "nicmos"): "is no camera",
    ("geojson", "-o", "s3://bucket/a.json"): "s3://bucket",
}


@pytest.mark.parametrize(("words", "reason"), REFUSALS.items())
def test_a_refusal_says_why_and_writes_nothing(
    places: mvmdb.Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], reason: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("there.fits").write_text("mine")
    done = call(places, "export", *words)
    assert done.exit_code != 0
    assert reason in str(done.exception) + done.output
    assert [path.name for path in tmp_path.iterdir()] == ["there.fits"]
    assert Path("there.fits").read_text() == "mine"


def test_programs_are_refused_what_is_not_known(places: mvmdb.Archive, tmp_path: Path) -> None:
    for changes in (
        {"format": "kml"},
        {"by": "telescope"},
        {"dimensions": "energy"},
        {"order": 30},
        {"time_order": 62},
        {"limit": 3},
    ):
        given = {"format": "moc", "path": tmp_path / "a.fits"} | changes
        with pytest.raises(UsageError, match="expected"):
            places.export(**given)  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())


def test_an_option_given_twice_is_refused(places: mvmdb.Archive, tmp_path: Path) -> None:
    done = call(places, "export", "moc", "-o", tmp_path / "a.fits", "--order", 3, "--order", 4)
    assert done.exit_code != 0
    assert "given twice" in done.output + str(done.exception)
