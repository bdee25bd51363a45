"""What `mvmdb query` runs on: no statement, and no trick with several, changes the catalog."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa
from archive import Archive
from databases import Databases
from postgres import Server

from mvmdb.catalog.ask.query import run_query
from mvmdb.catalog.configure import initialise
from mvmdb.catalog.open import open_catalog
from mvmdb.errors import UsageError
from mvmdb.schema import questions
from mvmdb.schema import tables as t

EVERYWHERE = (
    "DELETE FROM exposure",
    "DELETE FROM exposure RETURNING id",
    "UPDATE exposure SET exptime = 0",
    "INSERT INTO archive (key, value) VALUES ('a', 'b') RETURNING key",
    "DROP TABLE layer",
    "SELECT 1; DELETE FROM exposure",
    "COMMIT; DELETE FROM exposure",
    "ROLLBACK",
)
POSTGRESQL = (
    "WITH gone AS (DELETE FROM exposure RETURNING id) SELECT * FROM gone",
    "SELECT set_config('transaction_read_only', 'off', false)",
    "SELECT 1; COMMIT; SET default_transaction_read_only = off; DELETE FROM exposure; SELECT 2",
    "SET TRANSACTION READ WRITE; DELETE FROM exposure RETURNING id",
    "DO $$ BEGIN SET TRANSACTION READ WRITE; DELETE FROM exposure; END $$",
    "SELECT nextval('exposure_id_seq')",
    "SELECT setval('exposure_id_seq', 1)",
    "CREATE FUNCTION f() RETURNS integer LANGUAGE sql AS 'DELETE FROM exposure; SELECT 1'",
    "COPY exposure FROM '/dev/null'",
    "EXPLAIN ANALYZE DELETE FROM exposure",
    "SELECT ipppssoo INTO TABLE other FROM exposure",
    "SELECT * FROM exposure FOR UPDATE",
    "LOCK TABLE exposure",
    "SET ROLE none",
    "RESET ALL",
    "LISTEN news",
    "NOTIFY news",
    "COPY exposure TO '/tmp/mvmdb-copied'",
    "COPY (SELECT 1) TO PROGRAM 'touch /tmp/mvmdb-copied'",
    "COPY exposure TO STDOUT",
    "CREATE TEMP TABLE other (id integer)",
    "PREPARE other AS SELECT 1",
    "SELECT pg_sleep(0)",
    "SELECT PG_SLEEP (0)",
    "SELECT pg_catalog . pg_sleep /* here */ (0)",
    'SELECT "pg_sleep"(0)',
    'SELECT U&"\\0070g_sleep"(0)',
    """SELECT query_to_xml('SELECT pg_' || 'sleep(0)', true, true, '')""",
    "SELECT set_config('statement_timeout', '0', false)",
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity",
    "SELECT pg_cancel_backend(pid) FROM pg_stat_activity",
    "SELECT pg_advisory_lock(1)",
    "SELECT pg_try_advisory_xact_lock(1)",
    "SELECT pg_notify('news', 'x')",
    "SELECT pg_read_file('PG_VERSION')",
    "SELECT * FROM pg_ls_dir('.')",
    "SELECT lo_import('/etc/hostname')",
    "SELECT lo_export(1, '/tmp/mvmdb-copied')",
    "SELECT lo_create(0)",
    "SELECT lo_from_bytea(0, 'x')",
    "SELECT pg_reload_conf()",
    "SELECT pg_logical_emit_message(true, 'a', 'b')",
    "SELECT dblink('dbname=postgres', 'DELETE FROM exposure')",
    "SELECT pg_export_snapshot()",
)
SQLITE = (
    "ATTACH DATABASE 'new.db' AS other",
    "DETACH DATABASE main",
    "VACUUM INTO 'new.db'",
    "VACUUM",
    "ANALYZE",
    "REINDEX",
    "BEGIN",
    "SAVEPOINT here",
    "CREATE TEMP TABLE other (id)",
    "CREATE TEMP VIEW other AS SELECT 1",
    "CREATE VIRTUAL TABLE temp.other USING fts5(a)",
    "UPDATE sqlite_master SET sql = 'x'",
    "SELECT load_extension('other')",
    "SELECT writefile('new.txt', 'x')",
    "SELECT readfile('mvm.db')",
    "PRAGMA writable_schema = 1",
    "PRAGMA journal_mode = wal",
    "PRAGMA user_version = 7",
    "PRAGMA query_only = 0",
    "PRAGMA locking_mode = exclusive",
    "PRAGMA temp_store_directory = '.'",
    "PRAGMA hard_heap_limit = 1",
    "PRAGMA cache_size = 1",
    "PRAGMA optimize",
    "SELECT zeroblob(1000000000)",
    "SELECT length(randomblob(900000000))",
    "SELECT length(hex(zeroblob(499000000)))",
    "SELECT length(replace(hex(zeroblob(1000000)), '0', hex(zeroblob(400))))",
    "SELECT 1 WHERE 'a' LIKE '" + "%a" * 20_000 + "'",
    "SELECT '" + "x" * 2_000_000 + "'",
    "SELECT " + "+".join(["1"] * 2000),
    "SELECT " + "(" * 2000 + "1" + ")" * 2000,
)


@pytest.fixture
def one(archive: Archive) -> Archive:
    archive.expose()
    archive.ingest()
    return archive


def content(archive: Archive) -> list[object]:
    return [archive.rows(f"SELECT * FROM {table} ORDER BY 1, 2") for table in ("archive", "exposure", "layer")]


def test_no_statement_changes_the_catalog(one: Archive, databases: Databases, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(one.folder)
    before, files = content(one), sorted(one.folder.iterdir())
    for sql in EVERYWHERE + (POSTGRESQL if databases.kind == "postgresql" else SQLITE):
        with pytest.raises(UsageError), run_query(one.address, sql):
            pytest.fail(sql[:100])
        assert content(one) == before, sql
        assert sorted(one.folder.iterdir()) == files, sql


def test_a_read_only_engine_refuses_to_write_whatever_is_asked_first(one: Archive) -> None:
    before = content(one)
    with open_catalog(one.address, read_only=True) as engine:
        with engine.connect() as connection, pytest.raises(sa.exc.DBAPIError):
            connection.execute(sa.delete(t.exposure))
        with engine.connect() as connection, pytest.raises(sa.exc.DBAPIError):
            connection.exec_driver_sql("SET TRANSACTION READ WRITE")
    assert content(one) == before


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT ipppssoo FROM exposure WHERE filter LIKE 'F12%'",
        "SELECT ipppssoo FROM exposure WHERE filter IN ('F125W', 'nothing') AND instrument = 'WFC3'",
        "WITH e AS (SELECT * FROM exposure) SELECT ipppssoo FROM e WHERE detector = 'ir'",
    ],
)
def test_questions_are_asked_without_regard_to_case_and_percent_signs_are_plain(one: Archive, sql: str) -> None:
    with run_query(one.address, sql) as (names, rows):
        assert names == ["ipppssoo"]
        assert list(rows) == [("ib6o04tu",)]


def test_a_question_without_answers_still_has_its_columns(one: Archive) -> None:
    with run_query(one.address, "SELECT ipppssoo, exptime FROM exposure WHERE exptime < 0") as (names, rows):
        assert names == ["ipppssoo", "exptime"]
        assert list(rows) == []


TELLING = {
    "sqlite": (
        "SELECT value FROM json_each('[1, 2]')",
        "SELECT name FROM pragma_table_info('exposure')",
        "PRAGMA table_info(exposure)",
        "PRAGMA user_version",
        "PRAGMA integrity_check",
        "SELECT random()",
        "WITH c AS (SELECT 1 AS x) SELECT x FROM c",
        "VALUES (1), (2)",
        "SELECT * FROM stale_layer",
        "SELECT ipppssoo FROM exposure ORDER BY sky_separation(ra, dec, 0, 0)",
    ),
    "postgresql": (
        "SELECT random(), clock_timestamp(), gen_random_uuid()",
        "SELECT pg_size_pretty(pg_total_relation_size('exposure'))",
        "SELECT * FROM exposure TABLESAMPLE system (50)",
        "SHOW server_version",
        "TABLE archive",
        "SELECT * FROM pg_stat_activity",
        "EXPLAIN ANALYZE SELECT * FROM layer",
        "SELECT count(*) FROM information_schema.columns",
        "SELECT * FROM stale_layer",
        "SELECT ipppssoo FROM exposure ORDER BY sky_separation(ra, dec, 0, 0)",
    ),
}


def test_what_only_tells_is_answered(one: Archive, databases: Databases) -> None:
    for sql in TELLING[databases.kind]:
        with run_query(one.address, sql) as (names, _):
            assert names, sql


def test_every_function_of_the_server_that_may_do_something_is_refused_by_its_name(postgres: Server) -> None:
    name = postgres.make_catalog()
    postgres.run("CREATE FUNCTION \"My own\"() RETURNS integer LANGUAGE sql AS 'SELECT 1'", name)
    postgres.run("CREATE PROCEDURE does() LANGUAGE sql AS 'SELECT 1'", name)
    try:
        sql = "SELECT DISTINCT proname FROM pg_proc WHERE provolatile = 'v' OR prokind = 'p'"
        volatile = {row[0] for row in postgres.run(sql, name)}
        assert len(volatile) > 200
        with open_catalog(postgres.address(name), read_only=True) as engine, engine.connect() as connection:
            for function in volatile - questions._HARMLESS:
                call = f'SELECT "{function}"(1)' if function == "My own" else f"SELECT {function.upper()}(1)"
                with pytest.raises(UsageError, match="may do more"), questions.only_questions(connection, call):
                    pytest.fail(call)
        operators = "SELECT count(*) FROM pg_operator JOIN pg_proc p ON p.oid = oprcode WHERE p.provolatile = 'v'"
        assert postgres.run(operators, name) == [(0,)], "no operator does anything"
    finally:
        postgres.drop_database(name)


def test_a_superuser_reads_no_file_of_the_server_and_the_servers_lock_stays_free(
    one: Archive, databases: Databases
) -> None:
    """The tests' role may do everything."""
    if databases.kind == "sqlite":
        return
    assert one.rows("SELECT rolsuper FROM pg_roles WHERE rolname = current_user") == [(True,)]
    with (
        pytest.raises(UsageError, match="pg_read_file"),
        run_query(one.address, "SELECT pg_read_file('/etc/passwd')"),
    ):
        pass
    assert one.rows("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == [(1,)], "that of this very question"


def test_memory_that_sqlite_may_take_is_limited_in_a_process_that_only_asks(tmp_path: Path) -> None:
    address = str(tmp_path / "mvm.db")
    initialise(address)
    values = ", ".join(["zeroblob(60000000)"] * 20)
    code = (
        "import sys\nfrom mvmdb.catalog.ask.query import run_query\nfrom mvmdb.errors import UsageError\n"
        f"try:\n  with run_query({address!r}, 'SELECT {values}', end_stuck=print): pass\n"
        "except UsageError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "needs more memory than it may have" in done.stdout


def test_a_plan_can_be_asked_for(one: Archive, databases: Databases) -> None:
    word = "EXPLAIN QUERY PLAN" if databases.kind == "sqlite" else "EXPLAIN"
    with run_query(one.address, f"{word} SELECT * FROM exposure") as (_, rows):
        assert len(list(rows)) == 1
