"""A lost catalog is rebuilt from exposures, products and the decisions file beside the products."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa
from archive import Archive, call
from fitsfiles import set_pixels
from staleness import record_all

from mvmdb.atomic import replace_file
from mvmdb.catalog.decisions import keep
from mvmdb.catalog.decisions.values import FILENAME
from mvmdb.catalog.exposures.standing import withdraw
from mvmdb.catalog.open import open_catalog
from mvmdb.catalog.settings import read_policy
from mvmdb.errors import InputError, UsageError

TABLES = {
    "alternate": "SELECT * FROM alternate",
    "archive": "SELECT * FROM archive WHERE key NOT LIKE 'pollers_%'",
    "skycell": "SELECT * FROM skycell",
    "exposure": "SELECT * FROM exposure",
    "dataset": "SELECT x.ipppssoo, d.* FROM dataset d JOIN exposure x ON x.id = d.exposure_id",
    "membership": "SELECT x.ipppssoo, m.* FROM membership m JOIN exposure x ON x.id = m.exposure_id",
    "layer": "SELECT r.parameters, l.* FROM layer l JOIN recipe r ON r.id = l.recipe_id",
    "layer_member": "SELECT l.name, x.ipppssoo FROM layer_member m JOIN layer l ON l.id = m.layer_id"
    " JOIN exposure x ON x.id = m.exposure_id",
    "product": "SELECT l.name AS linked, p.* FROM product p LEFT JOIN layer l ON l.id = p.layer_id",
    "product_member": "SELECT p.layer, m.* FROM product_member m JOIN product p ON p.id = m.product_id",
    "quarantine": "SELECT * FROM quarantine",
}
"""The rows of each table that come back, with the names that surrogate keys stand for."""
NO_STATE = {
    # what happened, and was measured: said in docs/commands.md
    "run", "event", "sky_pair", "sky", "shift_pair", "placement", "layer_failure",
    "recipe",  # those in use are in `layer` above
    "coordinator", "claim",  # of runs that work now
}  # fmt: skip
ASIDE = {
    "id", "exposure_id", "recipe_id", "layer_id", "product_id", "registered_at", "changed_at", "made_at",
    "last_action", "last_reasons", "seconds",
}  # fmt: skip
"""Surrogate keys, times of recording, and the history that `product` holds."""


def dump(archive: Archive) -> dict[str, list[str]]:
    """The rows of every table, sorted, each as JSON by column."""
    with open_catalog(archive.address) as engine, engine.connect() as connection:
        assert set(sa.inspect(engine).get_table_names()) == {*TABLES, *NO_STATE, "alembic_version"}
        rows = {name: connection.execute(sa.text(sql)).mappings().all() for name, sql in TABLES.items()}
    return {name: sorted(map(_as_text, found)) for name, found in rows.items()}


def _as_text(row: Any) -> str:
    return json.dumps({key: value for key, value in row.items() if key not in ASIDE}, default=str, sort_keys=True)


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def night(archive: Archive) -> str:
    done = call(archive, "nightly", str(archive.inbox), "--executor", "serial")
    assert done.exit_code in (0, 1), done.output
    return done.stdout


def well(archive: Archive, *words: str) -> str:
    done = call(archive, *words)
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.fixture
def lived_in(archive: Archive) -> Archive:
    """Two nights' archive: decided about, divided, drizzled anew, recanvased, with refused and doubtful pixels."""
    for number, root in enumerate(("ib6o04tuq", "ib6o04twq", "ib6o04tzq")):
        archive.expose(root, east=number)
    archive.expose("ib4606c5q", detector="UVIS")
    archive.expose("j8oz04kpq", detector="WFC", kind="flc")
    archive.expose("j8oz04kqq", detector="WFC", kind="flc", east=0.5)
    (archive.inbox / "ib6o05tuq_flt.fits").write_text("nothing")
    well(archive, "init", "--products", str(archive.products), "--epochs", "yearly", "--keep-history", "90")
    night(archive)
    well(archive, "withdraw", "ib6o04tu", "ib6o04tz", "--why", "guide star lost")
    well(archive, "readmit", "ib6o04tu")
    well(archive, "quarantine", "--accept", "ib6o05tuq_flt.fits")
    archive.expose("j8oz04ksq", detector="WFC", kind="flc", east=0.3)
    archive.expose("ib6o07tuq", science=np.zeros((64, 64), "f4"))  # empty, which its pixels alone tell
    doubtful = np.ones((64, 64), "f4")
    doubtful[3, 3] = np.nan
    archive.expose("ib6o08tuq", east=9, science=doubtful)  # the canvas grows
    set_pixels(archive.inbox / "ib6o04twq_flt.fits", np.full((64, 64), 2.0))
    assert "3 drizzled, 0 added to, 1 recanvased, 0 removed, 0 failed" in night(archive)
    return archive


def test_a_rebuilt_catalog_equals_the_lost_one_and_the_next_night_makes_nothing(lived_in: Archive) -> None:
    lost, files = dump(lived_in), files_of(lived_in.products)
    assert "0 stale" in well(lived_in, "status")
    lived_in.lose_catalog()
    done = call(lived_in, "rebuild", str(lived_in.inbox), "-o", str(lived_in.products), "--executor", "serial")
    assert (done.exit_code, done.stderr) == (0, ""), done.output
    rebuilt = dump(lived_in)
    for table, rows in lost.items():
        assert rebuilt[table] == rows, table
    assert files_of(lived_in.products) == files
    assert "0 stale" in well(lived_in, "status", "--deep")
    assert "0 drizzled, 0 added to, 0 recanvased, 0 removed, 0 failed" in night(lived_in)
    assert files_of(lived_in.products) == files


# The decisions file. None of this depends on the database, and no mosaic is made.


@pytest.fixture
def small(tmp_path: Path) -> Archive:
    """Two registered exposures, of which one is withdrawn, and a products folder."""
    (tmp_path / "inbox").mkdir()
    (tmp_path / "products").mkdir()
    archive = Archive(tmp_path, str(tmp_path / "mvm.db"))
    archive.expose()
    archive.expose("ib6o04twq", east=2)
    well(archive, "init", "--products", str(archive.products), "--errors")
    well(archive, "ingest", str(archive.inbox))
    well(archive, "withdraw", "ib6o04tu", "--why", "guide star lost")
    return archive


def rebuild(archive: Archive, *paths: Path) -> Any:
    archive.lose_catalog()
    return call(archive, "rebuild", *map(str, paths or [archive.inbox]), "-o", str(archive.products))


def withdrawn(archive: Archive) -> list[tuple[Any, ...]]:
    return archive.rows("SELECT ipppssoo, withdrawn_why FROM exposure WHERE withdrawn_at IS NOT NULL")


def test_decisions_wait_for_exposures_and_tables_that_come_later(small: Archive) -> None:
    words = (
        "SELECT 'idqq04tuq' AS obs_id, 'wfc3/ir' AS instrument_name, filters, exptime, s_region FROM exposure LIMIT 1"
    )
    (small.folder / "table.csv").write_text(well(small, "query", "--csv", words))
    well(small, "import", str(small.folder / "table.csv"))
    well(small, "withdraw", "idqq04tu", "--why", "never came")
    before = (small.products / FILENAME).read_bytes()
    done = rebuild(small, small.inbox / "ib6o04twq_flt.fits")
    assert done.exit_code == 1
    assert f"import again: mvmdb import {small.folder / 'table.csv'}" in done.stdout
    assert done.stdout.count("waits for its exposure") == 2
    assert (small.products / FILENAME).read_bytes() == before
    assert withdrawn(small) == []
    well(small, "ingest", str(small.inbox))
    assert withdrawn(small) == [("ib6o04tu", "guide star lost")]
    well(small, "import", str(small.folder / "table.csv"))
    assert sorted(withdrawn(small)) == [("ib6o04tu", "guide star lost"), ("idqq04tu", "never came")]
    assert (small.products / FILENAME).read_bytes() == before
    assert small.rows("SELECT count(*) FROM archive WHERE key = 'waiting_decisions'") == [(0,)]
    assert "errors: True" in well(small, "config")


def test_a_withdrawal_does_not_hold_for_other_pixels_than_it_was_decided_about(
    small: Archive, caplog: pytest.LogCaptureFixture
) -> None:
    small.expose(science=np.full((64, 64), 3.0, "f4"), shape=(60, 64))
    assert rebuild(small).exit_code == 0
    assert "ib6o04tu: its file has other contents" in caplog.text
    assert withdrawn(small) == []


def test_rebuild_refuses_a_catalog_that_is_not_empty(small: Archive) -> None:
    done = call(small, "rebuild", str(small.inbox), "-o", str(small.products))
    assert isinstance(done.exception, UsageError)
    assert "2 rows of exposure" in str(done.exception)
    assert len(withdrawn(small)) == 1


def test_rebuild_refuses_a_damaged_decisions_file_and_makes_no_catalog(small: Archive) -> None:
    path = small.products / FILENAME
    whole = path.read_text()
    small.lose_catalog()
    for damaged in (
        whole[: len(whole) // 2].encode(),
        whole.replace("guide star lost", "guide star tost").encode(),
        b"[]",
        b"\xff\xfe\x00",
        whole.replace('"format": 1', '"format": 2').encode(),
    ):
        path.write_bytes(damaged)
        done = call(small, "rebuild", str(small.inbox), "-o", str(small.products))
        assert isinstance(done.exception, InputError)
        assert FILENAME in str(done.exception)
        assert not Path(small.address).exists()


def test_rebuild_without_decisions_says_what_is_lost(small: Archive) -> None:
    (small.products / FILENAME).unlink()
    done = rebuild(small)
    assert done.exit_code == 1
    assert "no decisions" in done.stdout
    assert withdrawn(small) == []


def test_a_new_catalog_leaves_the_decisions_of_a_lost_one_alone(small: Archive) -> None:
    before = (small.products / FILENAME).read_bytes()
    small.lose_catalog()
    done = call(small, "init", "--products", str(small.products))
    assert done.exit_code == 0
    assert "mvmdb rebuild" in done.stderr
    done = call(small, "ingest", str(small.inbox))
    assert "was written by another catalog" in done.stderr
    (small.products / FILENAME).write_text("{}")  # not even damage is a reason to replace it
    assert "is damaged" in call(small, "withdraw", "ib6o04tw").stderr
    assert (small.products / FILENAME).read_text() == "{}"
    (small.products / FILENAME).write_bytes(before)
    assert rebuild(small).exit_code == 0
    assert withdrawn(small) == [("ib6o04tu", "guide star lost")]


def test_a_command_succeeds_where_its_decisions_cannot_be_kept_and_the_next_one_keeps_them(small: Archive) -> None:
    path = small.products / FILENAME
    path.unlink()
    shutil.rmtree(small.products)
    small.products.write_text("a file")
    done = call(small, "withdraw", "ib6o04tw")
    assert done.exit_code == 0
    assert f"could not be kept in {path}" in done.stderr
    small.products.unlink()
    well(small, "readmit", "ib6o04tw")
    assert [one["ipppssoo"] for one in json.loads(path.read_text())["exposures"]] == ["ib6o04tu"]


def test_no_folder_is_made_where_the_volume_of_products_is_away(small: Archive) -> None:
    record_all(small)
    shutil.rmtree(small.products)
    done = call(small, "withdraw", "ib6o04tw")
    assert (done.exit_code, small.products.exists()) == (0, False)
    assert "the folder is not there" in done.stderr
    assert "mount it" in done.stderr


def test_what_two_commands_decide_at_once_is_kept_by_the_one_that_writes_last(
    small: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    def decide_meanwhile(target: Path, write: Any) -> None:
        replace_file(target, write)
        if not withdrawn_meanwhile:
            withdrawn_meanwhile.append(True)
            with open_catalog(small.address) as engine, engine.begin() as connection:
                withdraw(connection, ["ib6o04tw"], "", read_policy(connection))
            replace_file(target, write)  # the other command has written, and this one's older text replaces it

    withdrawn_meanwhile: list[bool] = []
    monkeypatch.setattr(keep, "replace_file", decide_meanwhile)
    well(small, "withdraw", "ib6o04tu", "--why", "wrong target")
    kept = json.loads((small.products / FILENAME).read_text())["exposures"]
    assert [(one["ipppssoo"], one["withdrawn_why"]) for one in kept] == [("ib6o04tu", "wrong target"), ("ib6o04tw", "")]
