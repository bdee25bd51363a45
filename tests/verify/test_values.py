"""Values that a column cannot have are found in any column of any table, keep nothing else from being looked at, and
are mended where files or other rows tell the right one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from archive import CELL, FINE, Archive, call
from databases import PostgresDatabases, SqliteDatabases
from mending import mend_rows
from verifying import EXPOSURE, LAYER, OF_EXPOSURE, OF_PRODUCT, PRODUCT, SMALL, changed, damage, fill, find

from mvmdb.catalog.open import Engine, open_catalog
from mvmdb.schema import tables as t
from mvmdb.schema.values import stored_columns

TIME = "'2026-01-01 00:00:00.000000'"
ROWS_MORE = (
    "INSERT INTO sky_pair VALUES (1, 2, 'measure', 'a', 'b', 1, 2, 3, 4, -1, 0.1, 0.2, 9)",
    "INSERT OR REPLACE INTO sky VALUES (1, 'a', 1.5, NULL, NULL, NULL)",
    "INSERT INTO alternate VALUES ('ib6o04zz', 'gaia', 'abc', 1, 2, 0.1, 0.2, 0.01, 1, 'rshift', 20, 10, 5, 3, '', '', "
    f"{TIME})",
    f"INSERT INTO quarantine VALUES ('/a.fits', 'vanished', 'gone', {TIME}, 1, 2, false)",
    "INSERT INTO run (id, command, arguments, username, host, pid, version, started_at) "
    f"VALUES (1, 'nightly', '', 'me', 'here', 1, '0', {TIME})",
    f"INSERT INTO layer_failure VALUES ('{FINE}', 'abc', 1, {TIME}, NULL)",
    f"INSERT INTO coordinator VALUES ('me', 1, 'here', 1, '', {TIME}, {TIME}, {TIME}, '[]')",
    f"INSERT INTO claim VALUES ('{FINE}', 'me', {TIME})",
)
"""Rows of the tables that are empty after a night."""
IMPOSSIBLE = {
    sa.Boolean: ("2", "'abc'"),
    sa.Integer: ("x'ff'", "1.5", "9e19"),
    sa.Float: ("'abc'", "9e999"),
    sa.DateTime: ("'soon'", "x'00'", "2026", "'2026-02-30 00:00:00.000000'", "'2026-01-01 00:00:00+01:00'"),
    sa.String: ("x'00'", "CAST(x'ff' AS TEXT)", "'a' || char(0)"),
}
"""SQL of values that SQLite stores in a column of each type."""
ONE_OF_EACH_TYPE = {"eligible", "n_chips", "exptime", "registered_at", "target"}
"""Columns of exposures in which every such value is planted; in all others, the first one is."""


@pytest.fixture(scope="module")
def sqlite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    folder = tmp_path_factory.mktemp("values")
    archive = Archive(folder, SqliteDatabases(folder).catalog())
    fill(archive)
    with open_catalog(archive.address) as opened:
        damage(opened, *ROWS_MORE)
        yield opened


def values_of(column: sa.Column[Any]) -> tuple[str, ...]:
    if column.type.python_type is str:
        return IMPOSSIBLE[sa.String]
    return next(values for kind, values in IMPOSSIBLE.items() if isinstance(column.type, kind))


@pytest.mark.parametrize("table", t.metadata.sorted_tables, ids=str)
def test_an_impossible_value_is_found_in_every_column(sqlite: Engine, table: sa.Table) -> None:
    keys = ", ".join(column.name for column in table.primary_key.columns)
    for column in stored_columns(table):
        if column.name == "id" or column is t.exposure.c.kind:
            continue  # SQLite itself refuses what is impossible there
        every = table is t.exposure and column.name in ONE_OF_EACH_TYPE
        for value in values_of(column)[: None if every else 1]:
            statement = f"UPDATE {table.name} SET {column.name} = {value} WHERE ({keys}) IN "
            with changed(sqlite, f"{statement} (SELECT {keys} FROM {table.name} LIMIT 1)") as connection:
                found = find(connection)
            assert "value-wrong" in {kind for kind, _ in found}, (column.name, value, found)


def test_a_time_in_another_form_that_can_be_read_is_no_finding(sqlite: Engine) -> None:
    before = "UPDATE exposure SET changed_at = "
    for time in ("'2026-01-01'", "'2026-01-01 12:30:00'", "'2026-01-01T12:30:00.5'", "CURRENT_TIMESTAMP"):
        with changed(sqlite, before + time) as connection:
            assert {kind for kind, _ in find(connection)} <= {"layer-wrong", "digest-wrong", "row-dangling"}


GROUPS = [
    [f"UPDATE exposure SET exptime = 'abc', target = x'ff', kind = 'flt' {EXPOSURE}",
     "UPDATE exposure SET expstart = 9e999, registered_at = 'soon', withdrawn_at = 'never' WHERE ipppssoo = 'ib6o04tw'",
     f"UPDATE membership SET x_min = 'abc' {OF_EXPOSURE}", f"UPDATE layer SET n_exposures = 'many' {LAYER}"],
    [f"UPDATE product SET made_at = 'soon', layer = '', size = 'big' {PRODUCT}",
     "UPDATE exposure SET pixels = x'00', ipppssoo = '' WHERE ipppssoo = 'ib6o04tw'",
     "UPDATE dataset SET size = 'big', kind = x'00' WHERE filename LIKE 'ib6o04tu%'",
     f"UPDATE skycell SET dec = 9e999, y_max = 'up' WHERE name = '{CELL}'"],
    [f"UPDATE product_member SET exptime = 9e999 {OF_PRODUCT}", "UPDATE recipe SET parameters = x'00' WHERE id = 1",
     f"UPDATE layer_member SET layer_id = 'abc' WHERE layer_id = (SELECT id FROM layer {LAYER}) AND exposure_id = 1",
     f"UPDATE exposure SET path = x'00', member_digest = x'00', pixel_digest = x'00' {EXPOSURE}"],
    [f"UPDATE skycell SET id = -1 WHERE name = '{CELL}'", f"UPDATE product SET layer_id = 'abc' {PRODUCT}",
     "INSERT INTO sky_pair VALUES (1, 2, 'measure', 'a', 'b', 9e999, 2, 3, 4, 5, 6, 7, 8)",
     "INSERT OR REPLACE INTO sky VALUES (1, 'a', 1.5, NULL, 'much', 'soon')",
     "INSERT INTO quarantine VALUES ('/a.fits', 'unreadable', 'why', 'soon', 1, 2, 0)"],
    ["INSERT INTO layer_failure VALUES (x'00', 'abc', 'often', 'then', NULL)",
     "UPDATE archive SET value = x'00' WHERE key = 'pollers_since'",
     f"UPDATE exposure SET ipppssoo = 'ib6o99zz' {EXPOSURE}"],
]  # fmt: skip
"""Damage that is done at the same time, on SQLite; each must be undone to the last column."""

ON_POSTGRESQL = [
    f"UPDATE exposure SET exptime = 'NaN', registered_at = 'infinity' {EXPOSURE}",
    "UPDATE exposure SET expstart = '-infinity', withdrawn_at = 'infinity' WHERE ipppssoo = 'ib6o04tw'",
    f"UPDATE membership SET area_arcmin2 = 'NaN' {OF_EXPOSURE}", f"UPDATE layer SET exptime = 'infinity' {LAYER}",
    f"UPDATE product SET made_at = '-infinity' {PRODUCT}", f"UPDATE product_member SET exptime = 'NaN' {OF_PRODUCT}",
    "UPDATE dataset SET processed = 'NaN' WHERE filename LIKE 'ib6o04tu%'",
    f"UPDATE skycell SET ra = 'NaN' WHERE name = '{CELL}'",
]  # fmt: skip


def test_impossible_values_become_what_they_were(tmp_path: Path) -> None:
    mend_rows(Archive(tmp_path, str(tmp_path / "mvm.db")), GROUPS, times=False)


def test_impossible_values_become_what_they_were_on_postgresql(tmp_path: Path, postgres: Any) -> None:
    databases = PostgresDatabases(postgres)
    mend_rows(Archive(tmp_path, databases.catalog()), [ON_POSTGRESQL, ["UPDATE exposure SET exptime = 'NaN'"]],
              times=False)  # fmt: skip
    databases.drop()


def test_a_value_that_nothing_tells_is_left_and_keeps_nothing_else_from_being_mended(tmp_path: Path) -> None:
    archive = Archive(tmp_path, str(tmp_path / "mvm.db"))
    archive.expose(**SMALL)
    archive.expose("ib6o04tzq", ra=139.088, dec=-13.997, **SMALL)
    archive.night()
    with open_catalog(archive.address) as engine:
        damage(
            engine,
            f"UPDATE exposure SET s_region_given = x'00' {EXPOSURE}",
            f"UPDATE membership SET x_min = x_min - 1 {OF_EXPOSURE}",
            "UPDATE layer SET n_exposures = 7 WHERE skycell_id = (SELECT max(id) FROM skycell)",
            "UPDATE layer SET n_exposures = 7 WHERE skycell_id = (SELECT min(id) FROM skycell)",
        )
    done = call(archive, "verify", "--repair")
    assert done.exit_code == 1
    assert "s_region_given='\\x00'; expected s_region_given: text, or nothing" in done.output
    assert "4 found, 2 repaired" in done.output or "3 found, 2 repaired" in done.output
    assert [n for (n,) in archive.rows("SELECT n_exposures FROM layer ORDER BY name")] == [7, 7, 1, 1]
    with open_catalog(archive.address) as engine:
        damage(engine, "UPDATE exposure SET s_region_given = NULL")
    assert call(archive, "verify", "--repair").exit_code == 0
    assert call(archive, "verify").exit_code == 0
