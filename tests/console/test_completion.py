"""Completion by the shells themselves, set up by the lines of README."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from pages import REPOSITORY

README = (REPOSITORY / "README.md").read_text()
LINES = {
    shell: line
    for line in re.findall(r"^    (.*_MVMDB_COMPLETE=\w+.*?)(?:  +#.*)?$", README, re.MULTILINE)
    for shell in re.findall(r"COMPLETE=(\w+)_source", line)
}  # fmt: skip
BASH = """
{line}
COMP_WORDS=(mvmdb {words}); COMP_CWORD={number}
_mvmdb_completion mvmdb
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


@pytest.fixture
def path(tmp_path: Path) -> dict[str, str]:
    """An environment in which `mvmdb` is the program under test."""
    program = tmp_path / "bin" / "mvmdb"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -c "import sys; sys.argv[0] = \'mvmdb\'; '
                       'from mvmdb.cli import main; main()" "$@"\n')  # fmt: skip
    program.chmod(0o755)
    paths = os.pathsep.join(entry for entry in sys.path if entry)
    return {**os.environ, "PATH": f"{program.parent}:{os.environ['PATH']}", "PYTHONPATH": paths, "HOME": str(tmp_path)}


def run(shell: str, script: str, environ: dict[str, str]) -> list[str]:
    done = subprocess.run([shell, "-c", script], env=environ, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.split("\n")


def test_readme_has_a_line_for_each_shell() -> None:
    assert set(LINES) == {"bash", "zsh", "fish"}


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("re", {"readmit", "rebuild", "reconcile"}),
        ("--db other.db search l", {"layers"}),
        ("mosaic --sc", {"--scale"}),
        ("mosaic --scale ", {"fine", "coarse"}),
        ("init --rule n", {"nearest"}),
    ],
)
def test_bash_completes(path: dict[str, str], words: str, expected: set[str]) -> None:
    listed = words.split(" ")
    script = BASH.format(line=LINES["bash"], words=" ".join(word or "''" for word in listed), number=len(listed))
    assert set(filter(None, run("bash", script, path))) == expected


def test_zsh_takes_the_line(path: dict[str, str]) -> None:
    if shutil.which("zsh") is None:
        pytest.skip("there is no zsh; install it (apt-get install zsh)")
    script = f"autoload -Uz compinit && compinit -u; {LINES['zsh']}; print -r -- ${{_comps[mvmdb]}}"
    assert run("zsh", script, path)[0] == "_mvmdb_completion"


def test_fish_completes(path: dict[str, str]) -> None:
    if shutil.which("fish") is None:
        pytest.skip("there is no fish; install it (apt-get install fish)")
    found = run("fish", f"{LINES['fish']}; complete -C 'mvmdb re'", path)
    assert {line.split("\t")[0] for line in found if line} == {"readmit", "rebuild", "reconcile"}
