"""An archive in one folder, treasures in another one that nobody gives to a command, and commands that are watched."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from archive import Archive

AUDITED = Path(__file__).with_name("audited.py")
REPOSITORY = AUDITED.parents[2]


@dataclass
class Places:
    """`home` holds the archive: inbox, products, mvm.db; `outside` is its neighbour, and must never be touched."""

    home: Path
    outside: Path
    watched: subprocess.Popen[str] | None = field(default=None, init=False)
    """The process that runs all commands: to import mvmdb takes longer than most of them."""

    @property
    def archive(self) -> Archive:
        return Archive(self.home, str(self.home / "mvm.db"))

    def change(self, sql: str, *values: Any) -> None:
        """Change rows by hand, as an attacker with the database's password would."""
        with sqlite3.connect(self.home / "mvm.db") as connection:
            connection.execute("PRAGMA ignore_check_constraints = ON")
            connection.execute(sql, values)
        connection.close()

    def treasures(self) -> dict[str, bytes]:
        return {
            str(path.relative_to(self.outside)): path.read_bytes() for path in self.outside.rglob("*") if path.is_file()
        }

    def keep(self) -> None:
        """Keep a copy of everything, for `restore`."""
        shutil.copytree(self.home.parent, self._copy)

    def restore(self) -> None:
        """Make everything as it was when it was kept."""
        shutil.rmtree(self.home.parent)
        shutil.copytree(self._copy, self.home.parent)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Have the process that runs commands until the end of the block; what it prints comes from stderr."""
        environment = os.environ | {
            "TMPDIR": str(self.home / "tmp"), "PYTHONPATH": str(REPOSITORY), "HOME": str(self.home),
            "PYTHONDONTWRITEBYTECODE": "1",
        }  # fmt: skip
        with subprocess.Popen(
            [sys.executable, str(AUDITED)], cwd=REPOSITORY, env=environment, text=True, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        ) as self.watched:  # fmt: skip
            yield
        assert self.watched.returncode == 0

    def _order(self, order: dict[str, Any]) -> list[dict[str, Any]]:
        assert self.watched is not None
        assert self.watched.stdin is not None
        assert self.watched.stdout is not None
        self.watched.stdin.write(json.dumps(order) + "\n")
        self.watched.stdin.flush()
        line = self.watched.stdout.readline()
        assert line, "the process that runs commands has ended"
        told: list[dict[str, Any]] = json.loads(line)
        return told

    @property
    def _copy(self) -> Path:
        return self.home.parent.with_name(f"{self.home.parent.name}-kept")

    def run(self, *commands: str, apart: Collection[str] = ()) -> list[dict[str, Any]]:
        """Run commands (words separated by blanks) in `home`. Nothing outside may be touched but what is `apart`."""
        before = self.treasures()
        temporary = self.home / "tmp"
        temporary.mkdir(exist_ok=True)
        told = self._order({
            "inside": [str(self.home)],
            "cwd": str(self.home),
            "commands": [["--db", str(self.home / "mvm.db"), *command.split()] for command in commands],
        })  # fmt: skip
        for one in told:
            shown = one["out"] + one["err"]
            assert set(one["noted"]) <= set(apart), one
            assert one["code"] in (None, 0, 1, 2), one
            assert "internal error" not in shown, one
            assert "Traceback" not in shown, one
            assert all(line.isprintable() for line in shown.split("\n")), one
        assert self.treasures() == before, commands
        assert {path.name for path in self.home.parent.iterdir()} == {self.home.name, self.outside.name}, commands
        return told
