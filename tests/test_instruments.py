"""A new detector is one entry: every room takes its facts from the registry, and no other module names a detector."""

from __future__ import annotations

import ast
import csv
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from archive import CELL, Archive
from astropy.io import fits
from pages import REPOSITORY

from mvmdb.errors import UsageError
from mvmdb.exposures.eligibility import judge
from mvmdb.exposures.read import read_exposure
from mvmdb.instruments import (
    INSTRUMENTS,
    ApertureNames,
    Detector,
    Instrument,
    SmallerPixfrac,
    find_detector,
    is_association,
)
from mvmdb.layers.admission import is_small, left_out
from mvmdb.layers.recipes import choose_recipe, layer_scales
from mvmdb.records import Policy
from mvmdb.tables.read import read_batches

CRISP = Detector(
    "crisp",
    good_bits=4,
    idcscale=0.05,
    pixels=(0.12, 0.14),  # of the WFC3/IR files that the tests make of it
    chip=(512, 512),
    field=(202.0, 202.0),
    sky_good_bits=12,
    deep=SmallerPixfrac(filters=("f999w",), depth=3, pixfrac=0.5),
    scales=("fine", "coarse"),
    small=True,
    cte_corrected=True,
    charge_injection=True,
    apertures=ApertureNames(
        starts=("crisp",), chips=("IIRFIX",), full={"CRISP": "IIR"}, subarrays={"CRISP64": "IIRS64"}
    ),
)
WFC4 = Instrument(
    "wfc4",
    letter="q",
    filter_keywords=("WHEEL1", "WHEEL2"),
    detectors=(CRISP,),
    imaging=("EXPMODE", "PICTURE"),
    calibration_targets=("LAMP",),
    scan_types=("Z",),
    numbered_exposures=True,
)
HEADER = {
    "INSTRUME": "WFC4", "DETECTOR": "CRISP", "WHEEL1": "F999W", "WHEEL2": "CLEAR", "EXPMODE": "PICTURE",
    "FILTER": None, "OBSTYPE": None,
}  # fmt: skip

NAMES = {*INSTRUMENTS, *(chip.name for instrument in INSTRUMENTS.values() for chip in instrument.detectors)}
NAMED_ELSEWHERE = {
    "mvmdb/instruments.py": "the registry",
    "mvmdb/schema/tables.py": "comments of columns, which migrations repeat",
    "mvmdb/exposures/fits/chipwcs.py": "PCi_j, a keyword of the WCS",
}
FOLDERS_ELSEWHERE = ("mvmdb/demo/", "mvmdb/schema/migrations/")  # the simulated cameras; a schema as it once was


@pytest.fixture
def wfc4(monkeypatch: pytest.MonkeyPatch) -> Instrument:
    """An invented instrument, registered by one entry."""
    monkeypatch.setitem(INSTRUMENTS, WFC4.name, WFC4)
    return WFC4


@pytest.fixture
def crisp_of_wfc3(monkeypatch: pytest.MonkeyPatch) -> Detector:
    """An invented detector of an instrument that exists."""
    wfc3 = INSTRUMENTS["wfc3"]
    monkeypatch.setitem(INSTRUMENTS, "wfc3", replace(wfc3, detectors=(*wfc3.detectors, CRISP)))
    return CRISP


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    """An empty archive on SQLite."""
    return Archive(tmp_path, str(tmp_path / "mvm.db"))


@pytest.mark.usefixtures("crisp_of_wfc3")
def test_a_file_of_a_new_detector_is_identified_and_eligible(archive: Archive) -> None:
    exposure = read_exposure(archive.expose(primary={"DETECTOR": "CRISP"})).exposure
    assert (exposure.instrument, exposure.detector, exposure.eligible) == ("wfc3", "crisp", True)


@pytest.mark.usefixtures("crisp_of_wfc3")
def test_recipe_scales_and_policy_follow_the_entry() -> None:
    deep = choose_recipe("wfc3", "crisp", "f999w", "fine", 3)
    assert (deep.good_bits, deep.sky_good_bits, deep.sky_match, deep.pixfrac) == (4, 12, True, 0.5)
    assert choose_recipe("wfc3", "crisp", "f999w", "fine", 2).pixfrac == 1.0
    assert choose_recipe("wfc3", "crisp", "f998w", "fine", 3).pixfrac == 1.0
    assert layer_scales("wfc3", "crisp") == ("fine", "coarse")
    assert is_small("wfc3", "crisp")
    assert "CRISP" in left_out("wfc3", "crisp", "flc", Policy(include_small=False))
    assert left_out("wfc3", "crisp", "flt", Policy(only_cte=True))


@pytest.mark.usefixtures("wfc4")
def test_the_rules_of_a_new_instrument_are_those_of_its_entry() -> None:
    header = {**HEADER, "EXPTIME": 100.0, "TARGNAME": "NGC104"}
    changes = {"EXPMODE": "SPECTRUM", "SCAN_TYP": "Z", "TARGNAME": "LAMP-1", "CHINJECT": "CONT", "WHEEL2": "G100"}
    assert judge(header, [{"WCSNAME": "IDC_x"}]) == ()
    assert [refusal.rule for refusal in judge({**header, **changes}, [{"WCSNAME": "IDC_x"}])] == [
        "imaging", "spatial scan", "calibration", "charge injection", "spectroscopic element",
    ]  # fmt: skip


@pytest.mark.usefixtures("wfc4")
def test_rows_of_a_new_instrument_are_imported(tmp_path: Path) -> None:
    table = tmp_path / "rows.csv"
    with table.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(("rootname", "instrument", "filter", "exptime", "aperture", "pa_v3", "ra_aper", "dec_aper"))
        writer.writerow(("qb6o04tuq", "WFC4", "F999W;CLEAR", "100", "CRISP", "30", "53", "-27"))
        writer.writerow(("qb6o04tv1", "WFC4", "F999W;CLEAR", "100", "CRISP64", "30", "53", "-27"))
    problems: list[object] = []
    (batch,) = read_batches(table, report=problems.append)
    assert problems == []
    assert batch.columns["detector"] == ["crisp", "crisp"]
    assert batch.columns["filter"] == ["f999w", "f999w"]
    assert batch.columns["kind"] == ["flc", "flc"]
    assert batch.columns["eligible"] == [True, True]
    whole, part = map(str, batch.columns["s_region"])
    assert whole != part
    assert not is_association("qb6o04tv1")


@pytest.mark.usefixtures("wfc4")
def test_a_night_with_a_new_instrument_makes_its_mosaics(archive: Archive) -> None:
    archive.expose("qb6o04tuq", filters="F999W", primary=HEADER)
    archive.expose("qb6o04tvq", filters="F999W", primary=HEADER, east=1.0)
    report = archive.night()
    assert [problem.reason for problem in report.ingest.problems] == []
    names = sorted(archive.product_files())
    assert names == [f"hst_{CELL}_wfc4_crisp_f999w_{label}_drz.fits" for label in ("all", "coarse-all")]
    header = fits.getheader(archive.products / CELL / names[0])
    assert (header["INSTRUME"], header["WHEEL1"], header["FILTER"]) == ("WFC4", "F999W", "F999W")


def test_a_detector_that_is_not_known_is_refused_with_those_that_are() -> None:
    for camera in (("wfc3", "crisp"), ("wfc4", "crisp")):
        with pytest.raises(UsageError, match=r"CRISP; expected one of ACS/WFC, .*, WFPC2/PC$"):
            find_detector(*camera)


def test_entries_do_not_contradict_each_other() -> None:
    letters = [instrument.letter for instrument in INSTRUMENTS.values()]
    assert len(set(letters)) == len(letters)
    for name, instrument in INSTRUMENTS.items():
        detectors = [detector.name for detector in instrument.detectors]
        assert (name, len(set(detectors))) == (instrument.name, len(detectors))
        assert all(each == each.lower() for each in (name, instrument.letter, *detectors))
        assert len(detectors) == 1 or not instrument.chips_are_detectors


def literals(path: Path) -> Iterator[tuple[int, str]]:
    """(line, text) of every string of a module but its docstrings."""
    tree = ast.parse(path.read_text())
    described = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in described:
            yield node.lineno, node.value


def test_no_other_module_names_an_instrument_or_a_detector() -> None:
    naming: dict[str, list[str]] = {}
    for path in sorted((REPOSITORY / "mvmdb").rglob("*.py")):
        module = path.relative_to(REPOSITORY).as_posix()
        for line, text in literals(path):
            # A name of a file or layer, with underscores, is one word: an example in a message.
            if not module.startswith(FOLDERS_ELSEWHERE) and NAMES.intersection(re.split(r"[^a-z0-9_]+", text.lower())):
                naming.setdefault(module, []).append(f"{line}: {text}")
    assert {module: lines for module, lines in naming.items() if module not in NAMED_ELSEWHERE} == {}
    assert naming.keys() == NAMED_ELSEWHERE.keys(), "an exception that is not needed any more"
