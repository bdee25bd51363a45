"""The twelve questions of docs/catalog.md: the same SQL, with answers worked out by hand, on both databases.

Two sky cells lie side by side here: EAST alone sees what is far east of their border, WEST what is far west of it, and
both what is on it. A third, FAR, is 4 degrees away.
"""

from __future__ import annotations

import csv
import datetime as dt
from typing import Any

import pytest
import sqlalchemy as sa
from archive import CELL, Archive
from click.testing import CliRunner
from pages import twelve_questions

from mvmdb.catalog.ask.query import run_query
from mvmdb.catalog.open import open_catalog
from mvmdb.console.commands.import_table import import_table
from mvmdb.console.options import Session
from mvmdb.schema import tables as t

EAST, WEST, FAR = "skycell-p0647x10y11", "skycell-p0647x11y11", CELL
BORDER = {"ra": 54.8178, "dec": -30.0}  # in the 20 arcsec that both cells share
INSIDE_WEST = {"ra": 54.8082, "dec": -30.0}  # 30 arcsec west of it
COLUMNS = ("obs_id", "instrument_name", "filters", "t_exptime", "t_min", "t_max", "proposal_id", "s_region")
FROM_2023, FROM_2024 = 60000.0, 60350.0
FIRST, MADE, LATER = (dt.datetime(2025, month, 1) for month in (5, 6, 7))


def name(cell: str, rest: str) -> str:
    return f"hst_{cell}_{rest}_all"


IR, ACS, UVIS = "wfc3_ir_f125w", "acs_wfc_f814w", "wfc3_uvis_f814w"
NEW, NEW_COARSE = name(WEST, "wfc3_ir_f160w"), f"hst_{WEST}_wfc3_ir_f160w_coarse-all"

ANSWERS: list[list[tuple[Any, ...]]] = [
    # 1. EAST has but 700 s of F814W; WEST has 700 of ACS and 500 of UVIS; FAR has no F814W.
    [(WEST, 1200.0, 1200.0)],
    # 2. ia1101a2 of both cells and the UVIS exposure are of 2024; the table's are of 2025.
    [(name(EAST, IR), 1, 600.0), (name(WEST, IR), 1, 600.0), (name(WEST, UVIS), 1, 500.0)],
    # 3. 2.9 arcmin are 174 arcsec; the other is at 3.1.
    [("ia3301d1", 300, 174.0)],
    # 4. Everything on the border is of program 100; 200 and 300 are in WEST alone; 400 is alone in FAR.
    [(WEST, 100, 200), (WEST, 100, 300), (WEST, 200, 300)],
    # 5.
    [(name(FAR, IR), 1, 3000.0), (name(EAST, IR), 2, 1200.0), (name(WEST, IR), 2, 1200.0)],
    # 6. FAR: fine and coarse. Else: F125W fine and coarse and ACS, in two cells; UVIS; F160W fine and coarse.
    [("GAIAeDR3", 2, 1), ("none", 9, 6)],
    # 7.
    [("moving target", 1), ("spectroscopic element", 1)],
    # 8. The FLT beside the FLC, the moving target, the grism.
    [
        ("ia1101g1", "flt", "ir", "g141", "spectroscopic element", None),
        ("ia1101m1", "flt", "ir", "f125w", "moving target", None),
        ("ja1101b2", "flt", "wfc", "f814w", "", None),
    ],
    # 9. F125W: 600 + 600 + 3000; ACS: 700 and the FLT's 50; F160W: twice 100.
    [
        ("acs", "wfc", "f814w", 2, 750.0), ("wfc3", "ir", "f125w", 3, 4200.0), ("wfc3", "ir", "f160w", 2, 200.0),
        ("wfc3", "uvis", "f814w", 1, 500.0),
    ],
    # 10. The table's exposures are far north of the others in WEST: its canvas grew.
    sorted(
        [(layer, "canvas-changed", 0) for layer in (
            name(WEST, ACS), name(WEST, IR), f"hst_{WEST}_{IR}_coarse-all", name(WEST, UVIS)
        )] + [(layer, "product-missing", 0) for layer in (NEW, NEW_COARSE)]
    ),
    # 11.
    [("ia3301d1", 300), ("ia3301d2", 300)],
    # 12. Four mosaics of WEST were made before the table came.
    [(WEST, 4)],
]  # fmt: skip


def expose_all(archive: Archive) -> None:
    def of(program: int, **more: Any) -> dict[str, Any]:
        return {"primary": {"PROPOSID": program, **more}}

    archive.expose("ia1101a1q", exptime=600.0, expstart=FROM_2023, **BORDER, **of(100))
    archive.expose("ia1101a2q", exptime=600.0, expstart=FROM_2024, **BORDER, **of(100))
    acs = {"detector": "WFC", "expstart": FROM_2023} | BORDER
    archive.expose("ja1101b1q", kind="flc", exptime=700.0, **acs, **of(100))
    archive.expose("ja1101b2q", kind="flt", exptime=50.0, **acs, **of(100))
    archive.expose("ia1101g1q", filters="G141", exptime=900.0, expstart=FROM_2023, **BORDER, **of(100))
    archive.expose("ia1101m1q", exptime=900.0, expstart=FROM_2023, **BORDER, **of(100, MTFLAG="T"))
    archive.expose(
        "ia2201c1q", detector="UVIS", kind="flc", filters="F814W", exptime=500.0, expstart=FROM_2024, **INSIDE_WEST,
        **of(200),
    )  # fmt: skip
    archive.expose("ia4401e1q", exptime=3000.0, expstart=FROM_2023, wcsname="IDC_w3m18525i-FIT_REL_GAIAeDR3", **of(400))


def import_two(archive: Archive) -> None:
    """A table of two exposures 2.9 and 3.1 arcmin north of the place that question 3 asks about, 4 arcsec wide."""
    path = archive.folder / "table.csv"
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(COLUMNS)
        for root, north in (("ia3301d1q", 2.9), ("ia3301d2q", 3.1)):
            dec = -30.0 + north / 60
            corners = ((-1, -1), (1, -1), (1, 1), (-1, 1))
            polygon = " ".join(f"{54.81 + 6e-4 * a:.6f} {dec + 6e-4 * d:.6f}" for a, d in corners)
            writer.writerow([root, "WFC3/IR", "F160W", 100, 60800, 60800.1, 300, f"POLYGON ICRS {polygon}"])
    done = CliRunner().invoke(import_table, [str(path)], obj=Session(archive.address))
    assert done.exit_code == 0, done.output


def set_times(archive: Archive) -> None:
    """The files came in May, the mosaics were made in June, the table came in July."""
    e = t.exposure
    with open_catalog(archive.address) as engine, engine.begin() as connection:
        connection.execute(sa.update(t.product).values(made_at=MADE))
        connection.execute(sa.update(e).values(registered_at=FIRST))
        connection.execute(sa.update(e).where(e.c.proposal_id == 300).values(registered_at=LATER))


@pytest.fixture
def asked(archive: Archive) -> Archive:
    """An archive with eight exposures, its mosaics made, and then two more exposures from a table."""
    expose_all(archive)
    assert archive.night().reconcile.failed == 0
    import_two(archive)
    set_times(archive)
    return archive


def test_the_twelve_questions_have_the_answers_worked_out_by_hand(asked: Archive) -> None:
    questions = twelve_questions()
    found = {}
    for question, sql in questions.items():
        with run_query(asked.address, sql) as (_, rows):
            found[question] = [tuple(row) for row in rows]
    assert found == dict(zip(questions, ANSWERS, strict=True))
