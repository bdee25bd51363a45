"""README and docs: every example is run on the demonstration's archive, and every table and command is described."""

from __future__ import annotations

import doctest
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from chaos.nest import Nest, Order
from click import Command
from demonstration import Demo
from pages import REPOSITORY, examples, twelve_questions
from schema_page import PAGE, fill_page

from mvmdb.catalog.check.finding import MEANINGS, Damage
from mvmdb.catalog.open import open_catalog
from mvmdb.cli import commands
from mvmdb.schema import metadata
from mvmdb.schema.meanings import VIEWS

pytestmark = pytest.mark.slow

PAGES = (
    "README.md", "docs/catalog.md", "docs/commands.md", "docs/operations.md", "docs/howto/archive-engineer.md",
    "docs/howto/scientist.md", "docs/howto/sql-user.md",
)  # fmt: skip
SHELL = ("cp ", "mkdir ", "mv ", "python3 -c ")
"""What pages may call besides mvmdb."""


def link_or_copy(source: str, target: str) -> None:
    """Large files are linked: they are replaced, never written to; the catalog is."""
    if source.endswith(".fits"):
        os.link(source, target)
    else:
        shutil.copy2(source, target)


@pytest.fixture(scope="module")
def nest() -> Iterator[Nest]:
    """A process that commands are forked from: to start Python for each would take longer than most of them do."""
    with Nest({name: value for name, value in os.environ.items() if not name.startswith(("MVM", "CI"))}) as process:
        yield process


def run(nest: Nest, command: str, folder: Path) -> tuple[str, str]:
    """What a command of a page prints on standard output and on standard error; a shell runs what only a shell can."""
    if command.startswith("mvmdb ") and not re.search(r"[|;&<>$`*]", re.sub(r'"[^"]*"', "", command)):
        ended = nest.run(Order(shlex.split(command)[1:], str(folder)))
        return ended.out, ended.err
    shell = f'mvmdb() {{ "{sys.executable}" -m mvmdb.cli "$@"; }}; '
    done = subprocess.run(["bash", "-c", shell + command], cwd=folder, capture_output=True, text=True, check=False)
    return done.stdout, done.stderr


@pytest.mark.parametrize("page", PAGES)
def test_examples_run_as_printed(
    page: str, demo: Demo, nest: Nest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in os.environ if name.startswith(("MVM", "CI"))]:
        monkeypatch.delenv(name)
    folder = tmp_path / "mvmdb-demo"
    shutil.copytree(demo.folder, folder, copy_function=link_or_copy)
    run(nest, "mvmdb nightly inbox -o products --move-products", folder)  # its files are known by their paths
    checker = doctest.OutputChecker()
    ran = 0
    for command, expected in examples(page):
        if not command.startswith(("mvmdb", *SHELL)):
            assert command == ". ../.venv/bin/activate"
            continue
        out, err = run(nest, command, folder)
        assert err == "", command
        matches = checker.check_output(expected, out, doctest.ELLIPSIS)
        assert matches, f"$ {command}\n--- printed in {page}\n{expected}--- was\n{out}"
        ran += 1
    assert ran >= 3


def test_the_diagram_and_the_tables_of_the_page_are_those_of_the_code() -> None:
    text = (REPOSITORY / PAGE).read_text()
    assert fill_page(text) == text, "run: make docs"


def test_every_column_of_every_view_is_described(tmp_path: Path) -> None:
    with open_catalog(str(tmp_path / "mvm.db"), create=True) as engine:
        found = sa.inspect(engine)
        views = {name: {column["name"] for column in found.get_columns(name)} for name in found.get_view_names()}
    assert {name: set(columns) for name, (_, columns) in VIEWS.items()} == views
    assert all(meaning for _, columns in VIEWS.values() for meaning in columns.values())


def test_every_measured_column_says_its_unit() -> None:
    unit = re.compile(
        r"degrees|seconds|MJD|arcmin|/arcsec|bytes|\bns\b|mean number|UTC|\barcsec|milliarcsec|\bpixels\b|pure number"
        r"|/electron"
    )
    silent = [
        str(column)
        for table in metadata.tables.values()
        for column in table.columns
        if isinstance(column.type, sa.Float | sa.BigInteger | sa.DateTime)
        and not unit.search(f"{column.name} {column.comment}")
    ]
    assert silent == []


def test_there_are_twelve_questions() -> None:
    numbers = [int(question.split(".")[0]) for question in twelve_questions()]
    assert numbers == list(range(1, 13))


def test_every_kind_of_damage_is_described_as_the_command_does() -> None:
    text = (REPOSITORY / "docs/commands.md").read_text()
    rows = [
        f"| `{kind}` | {words.meaning} | {words.repair or '-'} | {words.remedy} |" for kind, words in MEANINGS.items()
    ]
    assert set(MEANINGS) == set(Damage)
    assert "\n".join(rows) in text


def test_every_command_has_its_section() -> None:
    text = (REPOSITORY / "docs/commands.md").read_text()
    sections = re.findall(r"^## (\w+)$", text, re.MULTILINE)
    named: dict[str, Command] = commands.commands
    assert sorted(sections) == sorted(named)
