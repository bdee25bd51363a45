"""docs/eligibility.md has every reason by which an exposure stays out of layers, as the code names it, and no other."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa
from archive import Archive
from pages import REPOSITORY

from mvmdb.catalog.ask.describe import describe
from mvmdb.catalog.configure import follow_environment, initialise
from mvmdb.catalog.exposures.standing import withdraw
from mvmdb.catalog.open import open_catalog
from mvmdb.exposures import eligibility
from mvmdb.exposures.doubts import warn, warn_of_missing_flags
from mvmdb.exposures.eligibility import HEADER_RULES, PIXEL_RULES, judge
from mvmdb.exposures.warning_texts import KINDS, warn_not_finite
from mvmdb.instruments import INSTRUMENTS
from mvmdb.mosaic.trailing import describe_trail
from mvmdb.schema import tables as t
from mvmdb.tables.read import read_batches
from mvmdb.tables.rules import judge_row

PAGE = REPOSITORY / "docs/eligibility.md"
PACKAGE = REPOSITORY / "mvmdb"
RULES, POLICY, FILES = "Rules of eligibility", "Eligible, and in no layer", "Files that cannot be used"
WARNINGS, ROWS = "Warnings", "Rows of a table"


def read_table(section: str) -> dict[str, str]:
    """The rows of a section's table: what stands in code in the first column, and the rest of the row."""
    text = PAGE.read_text().partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `([^`]+)` \|(.*)\|$", text, re.MULTILINE)
    assert len(dict(rows)) == len(rows) > 0
    return dict(rows)


def parse_package(*places: str) -> Iterator[ast.AST]:
    """Every node of the modules of the package, or of those below some paths."""
    for path in [file for place in places or ("",) for file in _modules(PACKAGE / place)]:
        yield from ast.walk(ast.parse(path.read_text()))


def _modules(path: Path) -> list[Path]:
    return sorted(path.rglob("*.py")) if path.is_dir() else [path]


def calls_of(name: str) -> list[ast.Call]:
    """Every call of a class or function of this name in the package."""
    nodes = (node for node in parse_package() if isinstance(node, ast.Call))
    return [node for node in nodes if isinstance(node.func, ast.Name) and node.func.id == name]


def test_every_rule_has_its_row_in_the_order_in_which_rules_are_reported() -> None:
    assert list(read_table(RULES)) == [*HEADER_RULES, *(rule for rule in PIXEL_RULES if rule not in HEADER_RULES)]


def test_no_rule_of_pixels_goes_by_another_name() -> None:
    rules = [call.args[1] for call in calls_of("MemberUnusableError")]
    named = {getattr(eligibility, rule.id) for rule in rules if isinstance(rule, ast.Name)}
    assert (named, len(rules)) == (set(PIXEL_RULES), sum(isinstance(rule, ast.Name) for rule in rules))


@pytest.mark.parametrize("name", sorted(INSTRUMENTS))
def test_a_rules_row_names_the_keywords_and_values_that_break_it(name: str) -> None:
    instrument = INSTRUMENTS[name]
    rows = read_table(RULES)
    for detector in instrument.detectors:
        header = {
            "INSTRUME": name, "DETECTOR": detector.name, "DRIZCORR": "OMIT", "MTFLAG": "T", "SCAN_TYP": "C",
            "TARGNAME": "DARK", "EXPTIME": 0.0, "CHINJECT": "CONT", "QUALITY": "GSFAIL",
            instrument.filter_keywords[0]: "G1", instrument.filter_keywords[-1]: "FR1",
        }  # fmt: skip
        for refusal in judge(header, [{}]):
            assert refusal.finding.split()[0] in rows[refusal.rule], refusal
    assert set(instrument.imaging) <= set(re.findall(r"\w+", rows["imaging"]))
    assert [target for target in instrument.calibration_targets if target not in rows["calibration"]] == []
    assert set(instrument.scan_types) <= set(re.findall(r"\w+", rows["spatial scan"]))
    assert all(keyword in rows["ramp or block"] for keyword in instrument.filter_keywords)


def test_the_page_says_which_rules_judge_a_row_of_a_table() -> None:
    worst = [
        judge_row("acs", "sbc", "PR110L;FR1", "DARK", False, "spectrum", "", "T"),
        judge_row("wfc3", "uvis", "G280", "DARK", False, "spectrum", "", "T"),
    ]
    judged = {rule for rules, _ in worst for rule in rules.split("; ")}
    rows = {rule: row.split(" | ")[2] for rule, row in read_table(RULES).items()}
    assert {rule for rule, cell in rows.items() if cell.startswith("yes")} == judged
    assert {rule for rule, cell in rows.items() if cell.startswith("no")} == rows.keys() - judged


def test_detectors_that_the_policy_leaves_out_are_those_of_the_registry() -> None:
    rows = read_table(POLICY)
    for instrument in INSTRUMENTS.values():
        for detector in instrument.detectors:
            name = f"{instrument.name}/{detector.name}".upper()
            assert (name in rows["MVM_INCLUDE_SMALL is off"]) is detector.small
            assert (name in rows["MVM_ONLY_CTE is on"]) is detector.cte_corrected


def place_apart(archive: Archive, names: list[str]) -> None:
    """Record that these exposures lie an arcsec apart from one another."""
    rows = [archive.exposure(name) for name in names]
    with open_catalog(archive.address) as engine, engine.begin() as connection:
        for number, row in enumerate(rows):
            values = {column.name: 0 for column in t.placement.columns}
            values |= {name: getattr(row, name) for name in ("ipppssoo", "pixels", "wcs_digest")}
            values |= {"base_wcs": row.member_wcs, "dx": float(number), "pixel": 0.1, "n_pairs": 1, "n_group": 2}
            values |= {"shift_group": names[0], "tied_to": "majority", "made_at": row.changed_at}
            connection.execute(sa.insert(t.placement).values(values))


def test_explain_says_what_the_page_says_of_eligible_exposures(tmp_path: Path) -> None:
    archive = Archive(tmp_path, str(tmp_path / "mvm.db"))
    archive.expose("j8bt06nyq", detector="HRC")
    archive.expose("j8oz04kpq", detector="WFC")
    archive.expose("j8oz04kqq", detector="WFC", kind="flc")
    archive.expose("ib6o04tuq")
    archive.ingest()
    said = [why_in_no_layer(archive, "j8oz04kp")]
    initialise(archive.address, frames="gaia")
    said.append(why_in_no_layer(archive, "ib6o04tu"))
    archive.expose("ib6o04twq", wcsname="TWEAK")
    archive.ingest()
    initialise(archive.address, frames="same")
    said.append(why_in_no_layer(archive, "ib6o04tu"))
    initialise(archive.address, frames="absolute")
    said.append(why_in_no_layer(archive, "ib6o04tu"))
    place_apart(archive, ["ib6o04tw", "ib6o04tu"])
    initialise(archive.address, frames="agree")
    said.append(why_in_no_layer(archive, "ib6o04tu"))
    initialise(archive.address, frames="any")
    archive.environ = {"MVM_INCLUDE_SMALL": "off", "MVM_ONLY_CTE": "on"}
    said += [why_in_no_layer(archive, "j8bt06ny"), why_in_no_layer(archive, "j8oz04kp")]
    initialise(archive.address, epochs="2001-01-01,2002-01-01")
    said.append(why_in_no_layer(archive, "ib6o04tu"))
    with open_catalog(archive.address) as engine, engine.begin() as connection:
        withdraw(connection, ["j8oz04kq"], "", follow_environment(connection, archive.environ))
        connection.execute(sa.delete(t.membership))
    said += [why_in_no_layer(archive, "j8oz04kq"), why_in_no_layer(archive, "ib6o04tu")]
    reasons = read_table(POLICY)
    unsaid = [reason for reason in reasons if not any(reason in why for why in said)]
    unwritten = [why for why in said if not any(reason in why for reason in reasons)]
    assert (unsaid, unwritten) == ([], [])


def why_in_no_layer(archive: Archive, ipppssoo: str) -> str:
    """What `explain` says after `Layers: none`."""
    with open_catalog(archive.address) as engine, engine.begin() as connection:
        lines = describe(connection, ipppssoo, follow_environment(connection, archive.environ)).lines
    (line,) = (line for line in lines if line.startswith("Layers: none"))
    return line


def test_every_kind_of_unusable_file_has_its_row() -> None:
    kinds = [call.args[0] for call in calls_of("ExposureError")]
    texts = {kind.value for kind in kinds if isinstance(kind, ast.Constant)}
    assert all(isinstance(kind, ast.Constant) for kind in kinds), "the test must see the kind where it is raised"
    assert texts == read_table(FILES).keys()


def test_every_warning_has_its_row(tmp_path: Path) -> None:
    table = tmp_path / "rows.csv"
    table.write_text(
        "obs_id,instrument_name,filters,t_exptime,s_region\n"
        '"ib6o04tuq","WFC3/IR","F125W","100","POLYGON ICRS 10 20 10.1 20 10 20.1 10.1 20.1"\n'
    )
    (batch,) = read_batches(table)
    doubtful = {
        "INSTRUME": "WFC3", "DETECTOR": "IR", "FGSLOCK": "GYROS", "RA_TARG": 10.0, "DEC_TARG": 20.0,
        "PHOTFLAM": 2e-20,
    }  # fmt: skip
    sci = [{"WCSNAME": "IDC_a-FIT_REL_GAIADR2"}, {"WCSNAME": "IDC_a"}]
    said = [*warn(doubtful, sci, (10.0, 20.06)), *map(str, batch.columns["warnings"])]
    wfpc2 = warn({"INSTRUME": "WFPC2"}, [{"IDCSCALE": 0.0455, "WCSNAME": "IDC_a"}])
    said[-1:-1] = [*wfpc2, *warn_of_missing_flags("u2eq0201t_c0m.fits", has_flags=False)]
    said[-1:-1] = [describe_trail([np.tile([1.0, 0.3, 0.5], (20, 1))]), warn_not_finite(5)]
    rows = read_table(WARNINGS)
    assert list(rows) == list(KINDS.values())
    assert [[row for row in rows if row in text] for text in said] == [[row] for row in rows]


def reasons_of_rows() -> set[str]:
    """What is said of rows that cannot be used, each value in it as `…`."""
    texts = set()
    for node in parse_package("tables", "sky/region.py", "sky/plausible.py"):
        if isinstance(node, ast.JoinedStr):
            texts.add("".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            texts.add(node.value)
    # A part of a longer text that begins so ("found the name ") ends in a blank.
    return {text for text in texts if text.startswith(("found ", "region ")) and not text.endswith(" ")}


def test_every_reason_to_leave_a_row_out_has_its_row() -> None:
    reasons = reasons_of_rows()
    beginnings = {row: re.sub(r"\b[A-Z]+\b", "…", row) for row in read_table(ROWS)}
    assert len(reasons) > len(beginnings)
    assert [reason for reason in reasons if not reason.startswith(tuple(beginnings.values()))] == []
    assert [row for row, text in beginnings.items() if not any(reason.startswith(text) for reason in reasons)] == []
