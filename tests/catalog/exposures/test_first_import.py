"""The first import of a large table: another way to the same catalog, and none to half of one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from time import sleep
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from databases import Databases
from errands import die_of_layers
from postgres import Server

from mvmdb.catalog.configure import initialise
from mvmdb.catalog.exposures import bulk_load as bulk
from mvmdb.catalog.exposures.bulk_load import register_batches
from mvmdb.catalog.layers import refresh as layers
from mvmdb.catalog.open import open_catalog
from mvmdb.errors import WorkersError
from mvmdb.exposures.batch import COLUMNS, ExposureBatch
from mvmdb.schema import engine as engine_module
from mvmdb.schema import metadata, open_engine
from mvmdb.schema.bulk_load import begin_without_foreign_keys
from mvmdb.sky.footprints import Footprints

TABLES = ("skycell", "exposure", "membership", "layer", "layer_member")
TIMES = {"registered_at", "changed_at"}
BANDS = (("wfc3", "ir", "flt", "f125w"), ("wfc3", "ir", "flt", "f140w"), ("acs", "wfc", "flc", "f814w"))


def exposure(number: int, dec: float) -> dict[str, Any]:
    """A square of 3 arcmin; exposures of one declination overlap in part."""
    instrument, detector, kind, band = BANDS[number % 3]
    ra = 30 + 0.02 * (number // 3)
    corners = [(ra, dec), (ra + 0.05, dec), (ra + 0.05, dec + 0.05), (ra, dec + 0.05)]
    region = "POLYGON ICRS " + " ".join(f"{x:.9f} {y:.9f}" for x, y in corners)
    name = f"ib6o{number:04x}"
    return dict.fromkeys(COLUMNS) | {
        "ipppssoo": name, "rootname": f"{name}q", "kind": kind, "instrument": instrument, "detector": detector,
        "filters": band, "filter": band, "proposal_id": 1, "program": "B6O", "visit": "00", "target": "",
        "exptime": 100.0 + number, "expstart": 55000.0, "expend": 55001.0, "ra": ra, "dec": dec, "s_region": region,
        "n_chips": 1, "wcs_digest": f"{ra:.9f} {dec:.9f}", "pixels": f"{name} {dec}", "eligible": True,
        "ineligible_rule": "", "ineligible_reason": "", "warnings": "", "filename": "",
    }  # fmt: skip


def batch(rows: list[dict[str, Any]]) -> ExposureBatch:
    footprints = Footprints.from_regions([row["s_region"] for row in rows])
    return ExposureBatch(len(rows), {name: [row[name] for row in rows] for name in COLUMNS}, footprints)


def batches() -> list[ExposureBatch]:
    """Ninety exposures in three batches; the last one moves exposures of the first by degrees."""
    first, second = ([exposure(number, dec) for number in range(at, at + 40)] for at, dec in ((0, 10.0), (40, 10.02)))
    moved = [exposure(number, 10.01 if number >= 80 else 14.0) for number in (3, 4, 5, *range(80, 90))]
    return [batch(first), batch(second), batch(moved)]


def dump(engine: sa.Engine) -> dict[str, list[tuple[Any, ...]]]:
    """All that the catalog holds but for times."""
    with engine.connect() as connection:
        found = {}
        for name in TABLES:
            table = metadata.tables[name]
            columns = [column for column in table.columns if column.name not in TIMES]
            found[name] = [tuple(row) for row in connection.execute(sa.select(*columns).order_by(*table.primary_key))]
        return found


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every first import is a large one, with layers in many parts."""
    monkeypatch.setattr(bulk, "WORTH_DROPPING_INDEXES", 1)
    monkeypatch.setattr(layers, "KEYS_AT_ONCE", 5)


@pytest.fixture
def plain(databases: Databases) -> dict[str, list[tuple[Any, ...]]]:
    """The catalog of the same batches, registered as additions to a small one are."""
    with open_catalog(databases.catalog(), create=True) as engine:
        register_batches(engine, batches())
        return dump(engine)


def test_the_catalog_is_the_same(plain: dict[str, Any], databases: Databases, large: None) -> None:
    assert len(plain["exposure"]) == 90
    assert len(plain["layer"]) > 20
    with open_catalog(databases.catalog(), create=True) as engine:
        report = register_batches(engine, batches())
        assert dump(engine) == plain
        assert (report.new, report.changed, report.layers) == (90, 3, len(plain["layer"]))


def test_many_layers_that_change_later_are_written_as_few_are(
    plain: dict[str, Any], databases: Databases, large: None
) -> None:
    with open_catalog(databases.catalog(), create=True) as engine:
        for own in batches():
            register_batches(engine, [own])
        found = dump(engine)
    named = {table: [[v for v in row if not isinstance(v, int)] for row in rows] for table, rows in found.items()}
    expected = {table: [[v for v in row if not isinstance(v, int)] for row in rows] for table, rows in plain.items()}
    assert sorted(map(str, named["layer"])) == sorted(map(str, expected["layer"]))
    assert len(found["layer_member"]) == len(plain["layer_member"])


def test_indexes_and_references_are_there_afterwards(databases: Databases, large: None) -> None:
    with open_catalog(databases.catalog(), create=True) as engine:
        register_batches(engine, batches())
        with engine.connect() as connection:
            assert compare_metadata(MigrationContext.configure(connection), metadata) == []
            connection.execute(sa.delete(metadata.tables["exposure"]))
            count = sa.select(sa.func.count()).select_from(metadata.tables["membership"])
            assert connection.scalar(count) == 0  # deleted with their exposures


def test_nothing_is_left_of_an_import_that_fails(databases: Databases, large: None) -> None:
    def broken() -> Iterator[ExposureBatch]:
        yield batches()[0]
        raise ZeroDivisionError

    with open_catalog(databases.catalog(), create=True) as engine:
        with pytest.raises(ZeroDivisionError):
            register_batches(engine, broken())
        assert dump(engine) == {name: [] for name in TABLES}
        with engine.connect() as connection:
            assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_all_of_a_table_is_read_before_the_transaction_begins(
    databases: Databases, large: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_module, "_WAIT_SECONDS", 0.5)
    address = databases.catalog()

    def slow() -> Iterator[ExposureBatch]:
        for batch in batches():
            yield batch
            with open_catalog(address) as other, other.begin() as connection:  # raises if it has to wait
                connection.exec_driver_sql("UPDATE archive SET value = value")

    with open_catalog(address, create=True) as engine:
        assert register_batches(engine, slow()).new == 90


def test_a_rule_that_changes_while_a_table_is_read_is_followed(databases: Databases, large: None) -> None:
    def n_memberships(address: str, read: Callable[[], Iterable[ExposureBatch]]) -> int:
        with open_catalog(address, create=True) as engine:
            return register_batches(engine, read()).memberships

    def changed() -> Iterator[ExposureBatch]:
        yield from batches()
        initialise(late, rule="nearest")

    late, early = databases.catalog(), databases.catalog()
    overlap = n_memberships(databases.catalog(), batches)
    initialise(early, rule="nearest")
    nearest = n_memberships(early, batches)
    assert n_memberships(late, changed) == nearest < overlap


def test_nothing_is_left_when_the_process_beside_is_killed(
    databases: Databases, large: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layers, "build_layers", die_of_layers)
    with open_catalog(databases.catalog(), create=True) as engine:
        with pytest.raises(WorkersError, match="was stopped"):
            register_batches(engine, batches())
        assert dump(engine) == {name: [] for name in TABLES}


def test_a_reader_on_postgresql_makes_a_first_import_slow_and_ends_neither(postgres: Server, large: None) -> None:
    address = postgres.address(postgres.make_catalog())
    with open_catalog(address, create=True) as engine, open_catalog(address) as other, other.connect() as reader:
        driver: Any = reader.connection.driver_connection
        driver.execute("SELECT count(*) FROM layer")  # and holds it until its transaction ends
        report = register_batches(engine, batches())
        assert driver.execute("SELECT count(*) FROM exposure").fetchone() == (90,)
        assert report.new == 90
        with engine.connect() as connection:
            assert compare_metadata(MigrationContext.configure(connection), metadata) == []


@pytest.mark.parametrize("table", ["recipe", "skycell", "layer_member"])
def test_a_reader_that_comes_during_a_first_import_waits(postgres: Server, large: None, table: str) -> None:
    address = postgres.address(postgres.make_catalog())
    asked: list[Future[Any]] = []

    def read() -> Any:
        reader = open_engine(address, read_only=True)
        with reader.connect() as connection:  # one transaction, which keeps what it has read
            connection.exec_driver_sql(f"SELECT count(*) FROM {table}").all()
            found = connection.exec_driver_sql("SELECT count(*) FROM layer").scalar()
        reader.dispose()
        return found

    def ask_once(_: int) -> None:
        if not asked:  # the tables are locked since before the first batch
            asked.append(other.submit(read))
            sleep(1.0)

    with ThreadPoolExecutor(1) as other, open_catalog(address, create=True) as engine:
        report = register_batches(engine, batches(), progress=ask_once)
        assert report.new == 90
        assert asked[0].result(timeout=60) == 0  # as it was when the reader began


def test_an_interrupt_in_a_transaction_without_foreign_keys_is_raised_as_one(databases: Databases) -> None:
    def interrupted(engine: sa.Engine) -> None:
        with begin_without_foreign_keys(engine) as connection:
            connection.invalidate()  # as SQLAlchemy does with the connection of an interrupted statement
            raise KeyboardInterrupt

    with open_catalog(databases.catalog(), create=True) as engine, pytest.raises(KeyboardInterrupt):
        interrupted(engine)


def test_foreign_keys_are_checked_again_after_a_transaction_without_them(databases: Databases) -> None:
    lost = {"layer_id": 1, "exposure_id": 1}
    with open_catalog(databases.catalog(), create=True) as engine:
        with begin_without_foreign_keys(engine):
            pass
        with pytest.raises(sa.exc.IntegrityError), engine.begin() as connection:
            connection.execute(sa.insert(metadata.tables["layer_member"]), lost)


def test_on_sqlite_a_night_looks_at_its_own_layers_alone(tmp_path: Path) -> None:
    steps: list[str] = []

    def explain(connection: Any, _cursor: Any, statement: str, values: Any, _context: Any, many: bool) -> None:
        if statement.startswith(("SELECT", "UPDATE", "DELETE")) and "LIMIT" not in statement:
            driver = connection.connection.driver_connection
            bound = values[0] if many else values
            steps.extend(row[-1] for row in driver.execute(f"EXPLAIN QUERY PLAN {statement}", bound))

    with open_catalog(str(tmp_path / "mvm.db"), create=True) as engine:
        register_batches(engine, batches()[:2])
        sa.event.listen(engine, "before_cursor_execute", explain)
        register_batches(engine, batches()[2:])
    assert any(step.startswith("SEARCH layer USING") for step in steps)
    assert [step for step in steps for name in TABLES if step.startswith(f"SCAN {name}")] == []
