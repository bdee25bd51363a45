"""Each command calls one method of the archive, which names the command; programs find all of it by name."""

from __future__ import annotations

import ast
import inspect
import io
import pydoc
import subprocess
import sys
from pathlib import Path

import pytest

import mvmdb
from mvmdb.cli import commands

COMMANDS = Path(mvmdb.__file__).parent / "console" / "commands"
WITHOUT_CATALOG = {"cells", "demo", "process"}
"""Commands that need no catalog: they call a function of their own."""
TWO = {
    "contributors": {"contributors", "context_image"},
    "coverage": {"coverage", "coverage_at"},
    "coverage map": {"coverage_map", "exposure_maps"},
    "init": {"configure", "config"},
    "quarantine": {"accept", "quarantine"},
    "reconcile": {"preview", "reconcile"},
}
GROUPS: set[str] = set()
"""Commands that only hold others."""
SAME_AS = {"rows": "query", "past": "history", "found": "search", "covered": "coverage", "found_mixed": "astrometry",
           "found_seams": "seams"}  # fmt: skip
"""Methods that give rows one after the other, and those that give them all."""


def called_methods(command: str) -> set[str]:
    """The methods of the archive that a command's module calls; a subcommand's own, or that of its group."""
    names = (command.replace(" ", "_") if command != "import" else "import_table", command.split(maxsplit=1)[0])
    path = next(path for name in names if (path := COMMANDS / f"{name}.py").exists())
    methods = {name for name, _ in inspect.getmembers(mvmdb.Archive, callable) if not name.startswith("_")}
    methods.discard("tell")  # of values that methods return, too
    calls = (node.func for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call))
    return {call.attr for call in calls if isinstance(call, ast.Attribute)} & methods


def list_commands() -> list[str]:
    below = {f"{name} {sub}" for name, group in commands.commands.items() for sub in getattr(group, "commands", ())}
    return sorted(set(commands.commands) - WITHOUT_CATALOG - GROUPS | below)


@pytest.mark.parametrize("command", list_commands())
def test_a_command_calls_the_method_that_names_it(command: str) -> None:
    called = {SAME_AS.get(name, name) for name in called_methods(command)}
    assert called == TWO.get(command, called)
    assert len(called) == len(TWO.get(command, "1"))
    texts = [str(inspect.getdoc(getattr(mvmdb.Archive, name))) for name in called]
    named = command if (COMMANDS / f"{command.replace(' ', '_')}.py").exists() else command.split(maxsplit=1)[0]
    assert any(f"command `{named}" in text for text in texts), called


def test_help_lists_the_public_names_and_all_methods() -> None:
    assert set(mvmdb.__all__) <= set(dir(mvmdb))
    page = io.StringIO()
    pydoc.doc(mvmdb, output=page)
    for name in set(mvmdb.__all__) - {"__version__"}:
        assert name in page.getvalue(), name
    for name, method in inspect.getmembers(mvmdb.Archive, inspect.isfunction):
        if not name.startswith("_"):
            assert inspect.getdoc(method), name
            assert name in page.getvalue(), name


def test_the_package_itself_loads_nothing_heavy() -> None:
    program = "import sys, mvmdb; print(sorted({'numpy', 'astropy', 'sqlalchemy'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        mvmdb.nothing  # noqa: B018


SCRIPT = """
import datetime as dt

import mvmdb
from astropy.coordinates import SkyCoord  # type: ignore[import-untyped]

archive = mvmdb.open("mvm.db", create=True, jobs=2)
night = archive.nightly("inbox", products="products", prune=mvmdb.Pruning(limit=5))
made: list[str] = [layer.layer for layer in night.report.reconcile.layers]
stale: int = archive.status().stale
for layer in archive.status().plan:
    print(layer.name.upper(), [str(reason.code) for reason in layer.reasons])
kinds: list[str] = [event.kind for event in archive.history(since=dt.datetime(2026, 1, 1)).events]
lines: tuple[str, ...] = archive.explain("ib6o04tuq").lines
paths: list[str] = archive.mosaic(SkyCoord(1, 2, unit="deg"), 3, "f125w").products
table = archive.search("layers", filters=["f125w"], at=(1.0, 2.0), radius=0.1, stale=True)
print(table.colnames, mvmdb.get_sky_cells(["a_flt.fits"]))
try:
    archive.withdraw("ib6o04tuq", why="lost")
except mvmdb.MvmdbError as error:
    print(error)
"""
WRONG = {
    'archive.search("galaxies")': "arg-type",
    'archive.search("layers", filter="f125w")': "call-arg",
    "archive.status().stale.upper()": "attr-defined",
    'archive.nightly("inbox", mark="some")': "arg-type",
}


def test_types_are_known_to_a_program_checked_strictly(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(SCRIPT + "".join(f"{line}\n" for line in WRONG))
    command = [sys.executable, "-m", "mypy", "--strict", "--no-incremental", "--config-file", "/dev/null", str(program)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    errors = [line for line in done.stdout.splitlines() if "program.py" in line and "error:" in line]
    first = SCRIPT.count("\n") + 1
    expected = [(str(first + n), kind) for n, kind in enumerate(WRONG.values())]
    assert [(line.split(":")[1], line.rpartition("[")[2].rstrip("]")) for line in errors] == expected, done.stdout
