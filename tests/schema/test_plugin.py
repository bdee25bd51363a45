"""The SQL functions inside sqlite-utils and Datasette, which find them by entry points."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pluggy
import pytest

from mvmdb.schema import plugin
from mvmdb.serve import plugin as catalog_plugin

QUESTIONS = {
    "sky_separation(0, 0, 0, 1)": 1.0,
    "in_cone(359.9, 0, 0.1, 0, 0.3)": 1,
    "skycell_name(0)": "skycell-p0000x01y01",
    "skycell_name(1322, 11, 21)": "skycell-p1322x11y21",
    "sky_separation(NULL, 0, 0, 1)": None,
    "sky_separation('0', '0', '0', '1')": 1.0,
    "sky_separation('', '0', '0', 'inf')": None,
    "skycell_name('1322', '11', '21')": "skycell-p1322x11y21",
    "skycell_name('no number')": None,
}


def test_sqlite_utils_knows_the_functions(tmp_path: Path) -> None:
    asked = ", ".join(f"{question} AS a{n}" for n, question in enumerate(QUESTIONS))
    words = [sys.executable, "-m", "sqlite_utils", "query", str(tmp_path / "any.db"), f"SELECT {asked}"]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    (row,) = json.loads(done.stdout)
    assert list(row.values()) == [pytest.approx(a) if isinstance(a, float) else a for a in QUESTIONS.values()]


def test_the_functions_change_no_setting_of_the_connection(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "any.db")
    plugin.prepare_connection(connection)
    assert connection.execute("PRAGMA recursive_triggers").fetchone() == (0,)
    connection.close()


@pytest.mark.parametrize("program", ["sqlite_utils", "datasette"])
def test_both_programs_find_the_plugin(program: str) -> None:
    (found,) = (point for point in entry_points(group=program) if point.name == "mvmdb")
    assert found.load() is plugin


def test_datasette_finds_the_meanings_and_queries() -> None:
    (found,) = (point for point in entry_points(group="datasette") if point.name == "mvmdb-catalog")
    assert found.load() is catalog_plugin


def test_datasette_calls_it_for_each_connection() -> None:
    """By Datasette's own specification of the hook: more arguments than the plugin takes."""
    specify = pluggy.HookspecMarker("datasette")

    class Hooks:
        @specify
        def prepare_connection(self, conn: object, database: object, datasette: object) -> None: ...

    manager = pluggy.PluginManager("datasette")
    manager.add_hookspecs(Hooks)
    manager.register(plugin)
    connection = sqlite3.connect(":memory:")
    manager.hook.prepare_connection(conn=connection, database="mvm", datasette=None)
    for question, answer in QUESTIONS.items():
        assert connection.execute(f"SELECT {question}").fetchone() == (answer,)
    connection.close()
