"""Runs commands as a user does: in a process of their own, or faster, in this one."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import click
from archive import Archive
from click.testing import CliRunner

from mvmdb.cli import main


def run(archive: Archive, *words: str, env: dict[str, str] | None = None) -> Any:
    """Run one command in a process of its own, in the archive's folder."""
    return subprocess.run(
        [sys.executable, "-m", "mvmdb.cli", "--db", archive.address, *words],
        cwd=archive.folder, env=os.environ | (env or {}), capture_output=True, text=True, check=False,
    )  # fmt: skip


def call(archive: Archive, *words: str) -> tuple[int, str, str]:
    """Run one command in this process: (exit code, standard output, standard error)."""

    @click.command(context_settings={"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []})
    def shell() -> None:
        saved = sys.argv
        sys.argv = ["mvmdb", "--db", archive.address, *words]
        try:
            main()
        finally:
            sys.argv = saved

    result = CliRunner().invoke(shell, [])
    return result.exit_code, result.stdout, result.stderr


def one_line(text: str) -> str:
    """The one line of an error, which names the program."""
    (line,) = text.strip().splitlines()
    assert line.startswith("mvmdb: ")
    return line
