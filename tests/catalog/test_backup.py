"""A dump of a catalog on PostgreSQL, made and restored by the very commands of docs/operations.md."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from pathlib import Path

from archive import Archive, call
from chaos.state import find_differences, read_state
from pages import REPOSITORY
from postgres import OWNER, Server


def commands(*programs: str) -> list[list[str]]:
    """The lines of the page that call these programs, in order."""
    text = (REPOSITORY / "docs/operations.md").read_text()
    return [shlex.split(line) for line in re.findall(rf"^    ((?:{'|'.join(programs)}) .*)$", text, re.MULTILINE)]


def test_a_restored_catalog_is_the_one_that_was_dumped(tmp_path: Path, postgres: Server) -> None:
    def run(words: list[str]) -> None:
        environ = os.environ | {"PGHOST": str(postgres.folder), "PGUSER": OWNER}
        done = subprocess.run(
            [str(postgres.programs / words[0]), *words[1:]], cwd=tmp_path, env=environ, capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, ""), words

    (tmp_path / "work" / "inbox").mkdir(parents=True)
    postgres.run("CREATE DATABASE mvm")
    archive = Archive(tmp_path / "work", postgres.address("mvm"))
    for name in ("ib6o04tuq", "ib6o04twq"):
        archive.expose(name)
    archive.night()
    assert call(archive, "withdraw", "ib6o04tw", "--why", "trailed").exit_code == 0
    before = read_state(archive.address, archive.folder)
    (dump,), (create, restore) = commands("pg_dump"), commands("createdb", "pg_restore")
    run(dump)
    postgres.drop_database("mvm")
    run(create)
    run(restore)
    assert find_differences(before, read_state(archive.address, archive.folder)) == []
    assert {action for action in archive.actions().values()} == {"drizzle"}
    assert archive.night().reconcile.drizzled == 2
    assert call(archive, "verify", "--deep").exit_code == 0
    postgres.drop_database("mvm")
