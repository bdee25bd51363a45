"""README and docs: every example is run on the demonstration's archive, and every table and command is described."""

from __future__ import annotations

import doctest
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click import Command
from demonstration import Demo

from mvmdb.cli import commands
from mvmdb.schema.document import fill_page

REPOSITORY = Path(__file__).resolve().parent.parent
PAGES = ("README.md", "docs/catalog.md", "docs/commands.md")


def examples(page: str) -> list[tuple[str, str]]:
    """(command, expected output) of every console block, in order."""
    found: list[tuple[str, str]] = []
    for block in re.findall(r"```console\n(.*?)```", (REPOSITORY / page).read_text(), re.DOTALL):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = part.partition("\n")
            found.append((command, output))
    return found


def link_or_copy(source: str, target: str) -> None:
    """Large files are linked: they are replaced, never written to; the catalog is."""
    if source.endswith(".fits"):
        os.link(source, target)
    else:
        shutil.copy2(source, target)


@pytest.mark.parametrize("page", PAGES)
def test_examples_run_as_printed(page: str, demo: Demo, tmp_path: Path) -> None:
    folder = tmp_path / "mvmdb-demo"
    shutil.copytree(demo.folder, folder, copy_function=link_or_copy)
    subprocess.run(  # the inbox moved: its files are known by their paths
        [sys.executable, "-m", "mvmdb.cli", "nightly", "inbox", "-o", "products"], cwd=folder, check=True,
        capture_output=True,
    )  # fmt: skip
    shell = f'mvmdb() {{ "{sys.executable}" -m mvmdb.cli "$@"; }}; '
    checker = doctest.OutputChecker()
    ran = 0
    for command, expected in examples(page):
        if not command.startswith("mvmdb"):
            assert command == ". ../.venv/bin/activate"
            continue
        done = subprocess.run(
            ["bash", "-c", shell + command], cwd=folder, capture_output=True, text=True, check=False,
            env={name: value for name, value in os.environ.items() if not name.startswith(("MVM", "CI"))},
        )  # fmt: skip
        assert done.stderr == "", command
        matches = checker.check_output(expected, done.stdout, doctest.ELLIPSIS)
        assert matches, f"$ {command}\n--- printed in {page}\n{expected}--- was\n{done.stdout}"
        ran += 1
    assert ran >= 3


def test_the_pages_tables_are_those_of_the_code() -> None:
    text = (REPOSITORY / "docs/catalog.md").read_text()
    assert fill_page(text) == text, "run: make docs"


def test_every_command_has_its_section() -> None:
    text = (REPOSITORY / "docs/commands.md").read_text()
    sections = re.findall(r"^## (\w+)$", text, re.MULTILINE)
    named: dict[str, Command] = commands.commands
    assert sorted(sections) == sorted(named)


def test_links_between_pages_lead_somewhere() -> None:
    for page in [REPOSITORY / "README.md", *(REPOSITORY / "docs").glob("*.md")]:
        for target in re.findall(r"\]\((?!http)([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_changelog_names_this_version() -> None:
    from mvmdb import __version__

    assert f"## {__version__}" in (REPOSITORY / "CHANGELOG.md").read_text()
