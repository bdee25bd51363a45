"""Values go to the database as bound parameters: no SQL is put together from them, and any name works as data."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from archive import Archive, call

REPOSITORY = Path(__file__).resolve().parents[2]
_SQL = re.compile(
    r"^\s*(SELECT|INSERT|UPDATE|DELETE|COPY|PRAGMA|SET|ANALYZE|TRUNCATE|DROP|CREATE|ALTER|EXPLAIN|VACUUM|ATTACH|BEGIN|WITH)\b"
    r"| (FROM|WHERE|AND|VALUES|IN|LIKE) "
)
_RUNS_SQL = {"exec_driver_sql", "text", "literal_column", "DDL"}
ALLOWED = {
    "catalog/ask/browse.py": {"MOST_MEMORY"},
    "catalog/decisions/load.py": {"rules"},  # PIXEL_RULES
    "console/render.py": {"words"},  # a kind of warning, in a hint for the user
    "schema/bulk_load.py": {"table.name", "name", "constraint.name", "index.name", "', '.join(names)"},
    "schema/engine.py": {"table.name", "names", "marks", "name", "keys", "milliseconds"},
    "schema/functions.py": {
        "_CELLS", "CELLS_PER_PROJECTION_CELL", "CELLS_PER_SIDE", "N_PROJECTION_CELLS", "five", "five[8:]", "function",
        "name",
    },
    "schema/integrity.py": {"check"},  # the name of a pragma
    "schema/postgres.py": {"WRITERS_LOCK", "_FILES_LOCK", "wait_seconds"},
    "schema/questions.py": {"MOST_MEMORY"},
    "schema/sqlite.py": {"min(_STEP_MS, round(1000 * wait_seconds))", "round(1000 * wait_seconds)"},
    "serve/plugin.py": {"status", "words"},  # an answer of the web server
    "schema/views.py": {"code", "name", "text"},  # reasons, and the views' own SQL
}  # fmt: skip
"""What SQL may be put together from: names of schema/tables.py, constants, and numbers of mvmdb's own."""


def pieces(node: ast.expr) -> Iterator[str]:
    """The expressions whose values a text is put together from."""
    if isinstance(node, ast.JoinedStr):
        yield from (ast.unparse(value.value) for value in node.values if isinstance(value, ast.FormattedValue))
    elif isinstance(node, ast.BinOp):
        for side in (node.left, node.right):
            if not isinstance(side, ast.Constant | ast.JoinedStr | ast.BinOp):
                yield ast.unparse(side)
            yield from pieces(side)
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ("format", "join"):
        yield ast.unparse(node)


def is_sql(node: ast.expr) -> bool:
    """Whether a text that is put together looks like SQL."""
    parts = node.values if isinstance(node, ast.JoinedStr) else [node.left] if isinstance(node, ast.BinOp) else []
    first = next((part for part in parts if isinstance(part, ast.Constant)), None)
    return first is not None and isinstance(first.value, str) and _SQL.search(first.value) is not None


def put_together() -> Iterator[tuple[str, str]]:
    """(file in mvmdb, expression) for each expression that gets into SQL as text."""
    package = REPOSITORY / "mvmdb"
    for path in sorted(package.rglob("*.py")):
        if "migrations" in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            texts: list[ast.expr] = []
            if isinstance(node, ast.Call):
                called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                texts += node.args[:1] if called in _RUNS_SQL else []
            if isinstance(node, ast.JoinedStr | ast.BinOp) and is_sql(node):
                texts.append(node)
            for text in texts:
                for piece in pieces(text):
                    yield path.relative_to(package).as_posix(), piece


def test_sql_is_put_together_from_names_of_the_schema_and_own_numbers_alone() -> None:
    found: dict[str, set[str]] = {}
    for file, piece in put_together():
        found.setdefault(file, set()).add(piece)
    assert {file: more for file, pieces in found.items() if (more := pieces - ALLOWED.get(file, set()))} == {}
    assert len(found) >= 8, "the test sees SQL"


NAMES = ["x' OR '1'='1", "'; DROP TABLE exposure; --\"", "%", "_b6o04tu_", "\\ 100%s %(x)s :x ? {x} $1", "a\x00b"]


@pytest.mark.parametrize("name", NAMES)
def test_any_name_is_data(archive: Archive, name: str) -> None:
    archive.expose()
    archive.ingest()
    before = archive.rows("SELECT count(*) FROM exposure"), archive.rows("SELECT count(*) FROM layer")
    for words in (
        ("explain", name), ("history", "--exposure", name), ("history", "--layer", name),
        ("history", "--program", name), ("history", "--skycell", name), ("withdraw", name), ("readmit", name),
        ("cells", name), ("poller", name),
        ("status", "--skycell", name), ("quarantine", "--accept", name), ("reconcile", "--program", name),
        ("reconcile", "--filter", name), ("nightly", str(archive.inbox), "--program", name),
    ):  # fmt: skip
        done = call(archive, *words)
        assert "Traceback" not in done.output, words
        assert not isinstance(done.exception, Exception) or type(done.exception).__module__ == "mvmdb.errors", words
        assert not re.search(r"ib6o04tu.*(withdrawn|accepted)", done.stdout), words
    assert (archive.rows("SELECT count(*) FROM exposure"), archive.rows("SELECT count(*) FROM layer")) == before
    assert archive.rows("SELECT count(*) FROM exposure WHERE withdrawn_at IS NOT NULL") == [(0,)]
    assert call(archive, "withdraw", "ib6o04tuq", "--why", name.replace("\x00", "")).exit_code == 0
    ((why,),) = archive.rows("SELECT withdrawn_why FROM exposure")
    assert why == name.replace("\x00", "")
