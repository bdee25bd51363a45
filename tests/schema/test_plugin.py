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

QUESTIONS = {
    "sky_separation(0, 0, 0, 1)": 1.0,
    "in_cone(359.9, 0, 0.1, 0, 0.3)": 1,
    "skycell_name(0)": "skycell-p0000x01y01",
    "skycell_name(1322, 11, 21)": "skycell-p1322x11y21",
    "sky_separation(NULL, 0, 0, 1)": None,
}


@pytest.mark.parametrize(("question", "answer"), QUESTIONS.items())
def test_sqlite_utils_knows_the_functions(tmp_path: Path, question: str, answer: object) -> None:
    words = [sys.executable, "-m", "sqlite_utils", "query", str(tmp_path / "any.db"), f"SELECT {question} AS answer"]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [{"answer": pytest.approx(answer) if isinstance(answer, float) else answer}]


@pytest.mark.parametrize("program", ["sqlite_utils", "datasette"])
def test_both_programs_find_the_plugin(program: str) -> None:
    (found,) = (point for point in entry_points(group=program) if point.name == "mvmdb")
    assert found.load() is plugin


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
