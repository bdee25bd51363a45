"""A password in --db shows nowhere: in no output, log, report, file or row, not in a worker's command or its orders."""

from __future__ import annotations

import logging
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import psycopg
import pytest
from archive import CELL, Archive
from command_line import call
from postgres import GUARDED, OWNER, Server

from mvmdb.workers import child

SECRET = "S3cr&t w/rd%:é"
"""A password that a URL must encode."""
TRACES = {SECRET, quote(SECRET, safe=""), quote_plus(SECRET), quote(SECRET), "S3cr", "w/rd%"}
"""The password as it may be written, and parts of it that no encoding changes."""


def addresses(server: Server, name: str, user: str) -> dict[str, str]:
    """The forms of an address that hold the password."""
    word, place = quote(SECRET, safe=""), f"host={server.folder}"
    return {
        "login": f"postgresql+psycopg://{user}:{word}@/{name}?{place}",
        "plain scheme": f"postgresql://{user}:{word}@/{name}?{place}",
        "query": f"postgresql+psycopg://{user}@/{name}?{place}&password={word}",
        "plus": f"postgresql+psycopg://{user}@/{name}?{place}&password={quote_plus(SECRET)}",
    }


@pytest.fixture
def name(postgres: Server) -> Iterator[str]:
    made = postgres.make_catalog()
    postgres.run(f"ALTER ROLE {GUARDED} PASSWORD '{SECRET}'")
    postgres.run(f"ALTER ROLE {GUARDED} SUPERUSER")
    yield made
    postgres.drop_database(made)
    postgres.run(f"ALTER ROLE {GUARDED} NOSUPERUSER PASSWORD 's3cret-word'")


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What child processes are given: their commands, environments and orders."""
    given: list[str] = []
    start, send = subprocess.Popen, child.write_message

    def started(command: Any, *arguments: Any, **named: Any) -> Any:
        given.append(f"{command} {named.get('env')}")
        return start(command, *arguments, **named)

    def sent(*arguments: Any, **named: Any) -> Any:
        given.extend(word.decode("latin-1") if isinstance(word, bytes) else repr(word) for word in arguments)
        return send(*arguments, **named)

    monkeypatch.setattr(subprocess, "Popen", started)
    monkeypatch.setattr(child, "write_message", sent)
    return given


def dump(server: Server, name: str) -> str:
    """Every row of a catalog."""
    tables = server.run("SELECT quote_ident(tablename) FROM pg_tables WHERE schemaname = 'public'", name)
    return "\n".join(str(server.run(f"SELECT * FROM {table}", name)) for (table,) in tables)


def files(folder: Path) -> str:
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return "\n".join(f"{path} {path.read_bytes().decode('latin-1')}" for path in paths)


def traces(text: str) -> set[str]:
    latin = {trace.encode().decode("latin-1") for trace in TRACES}
    return {trace for trace in TRACES | latin if trace in text}


COMMANDS = (
    (0, "init --products products"),
    (0, "ingest inbox --jobs 2 --progress json"),
    (0, "nightly inbox --jobs 2 --report night.html"),
    (0, "nightly inbox --report night.json"),
    (0, "reconcile --full --jobs 2 --json"),
    (0, "status --json"),
    (0, "history --json"),
    (0, "explain ib6o04tuq"),
    (0, "verify --deep"),
    (0, f"poller {CELL} -o pollers"),
    (0, "cells --at 52.68 -26.0"),
    (0, "config"),
    (0, "quarantine"),
    (0, "withdraw ib6o04tuq --why moved"),
    (0, "readmit ib6o04tuq"),
    (0, "adopt products"),
    (0, "query TABLE(archive)"),
    (2, "query nonsense"),
    (2, "query SELECT(pg_sleep(1))"),
    (2, "explain nonsense"),
    (2, "ingest nothing-here"),
    (2, "import inbox/ib6o04tuq_flt.fits"),
    (2, "nightly inbox --report nowhere/night.txt --log nowhere/log"),
    (2, "poller nonsense"),
    (2, "rebuild inbox -o products"),
    (2, "no-such-command"),
)


@pytest.mark.parametrize("form", ["login", "query"])
def test_no_command_shows_the_password_that_it_uses(
    form: str, postgres: Server, name: str, told: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    (tmp_path / "inbox").mkdir()
    archive = Archive(tmp_path, addresses(postgres, name, GUARDED)[form])
    archive.expose()
    caplog.set_level(logging.DEBUG)
    for expected, command in COMMANDS:
        words = [word.replace("(", " ", 1).rstrip(")") if "TABLE(" in word else word for word in command.split()]
        options = ("-v", "--log", "run.log") if "--log" not in command else ("-v",)
        code, out, err = call(archive, *options, *words)
        assert code == expected, (command, out, err)
        assert not traces(out + err), command
    assert len(told) > 5
    for text in (*told, files(tmp_path), dump(postgres, name), *(record.getMessage() for record in caplog.records)):
        assert not traces(text), text[:2000]


@pytest.mark.parametrize("form", ["login", "plain scheme", "query", "plus"])
@pytest.mark.parametrize("fault", ["password", "database", "server", "schema"])
def test_no_failure_to_connect_shows_the_password(
    form: str, fault: str, postgres: Server, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    address = addresses(postgres, name, GUARDED)[form]
    if fault == "password":
        postgres.run(f"ALTER ROLE {GUARDED} PASSWORD 'another'")
    elif fault == "database":
        address = address.replace(f"/{name}?", "/nowhere?")
    elif fault == "server":
        address = address.replace(str(postgres.folder), str(tmp_path))
    else:
        with psycopg.connect(host=str(postgres.folder), user=OWNER, dbname=name, autocommit=True) as connection:
            connection.execute("DROP TABLE event, run CASCADE")
    caplog.set_level(logging.DEBUG)
    archive = Archive(tmp_path, address)
    for command in ("status", "nightly .", "query SELECT-1", "init", "history", "verify"):
        code, out, err = call(archive, "-v", "--log", "run.log", *command.split())
        assert code in (0, 1, 2), command
        assert not traces(out + err), command
    assert not traces(files(tmp_path))
    assert not traces("\n".join(record.getMessage() for record in caplog.records))


def test_an_internal_error_shows_no_password_in_its_traceback(
    postgres: Server, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The texts of exceptions are not ours: the driver's, SQLAlchemy's, Python's."""
    address = addresses(postgres, name, GUARDED)["login"]

    def fail(*_: Any, **__: Any) -> None:
        try:
            raise ValueError(f"cannot use password={SECRET} at {address}")
        except ValueError as error:
            raise RuntimeError(f"no way to {address}") from error

    monkeypatch.setattr("mvmdb.archive.asking.open_catalog", fail)
    monkeypatch.chdir(tmp_path)
    code, out, err = call(Archive(tmp_path, address), "-v", "--log", "run.log", "config")
    assert (code, "internal error" in err, "Traceback" in (tmp_path / "run.log").read_text()) == (2, True, True)
    assert not traces(out + err + files(tmp_path))


MISPLACED = (
    "status ADDRESS", "ingest ADDRESS", "nightly ADDRESS", "explain ADDRESS", "cells ADDRESS", "import ADDRESS",
    "process ADDRESS", "ADDRESS status", "--db ADDRESS no-such-command", "--db=ADDRESS", "-vdbADDRESS",
    "nightly inbox --log ADDRESS", "nightly inbox --db ADDRESS", "nightly inbox --db=ADDRESS",
    "nightly inbox --executor ADDRESS", "nightly inbox --skycell ADDRESS", "nightly inbox --program ADDRESS",
    "nightly inbox --report ADDRESS.txt",
)  # fmt: skip


@pytest.mark.parametrize("words", MISPLACED)
def test_an_address_in_the_wrong_place_shows_no_password(
    words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "inbox").mkdir()
    archive = Archive(tmp_path, str(tmp_path / "mvm.db"))
    archive.expose()
    address = f"postgresql+psycopg://keeper:{quote(SECRET, safe='')}@127.0.0.1:1/mvm"
    code, out, err = call(archive, *(word.replace("ADDRESS", address) for word in words.split()))
    assert code == 2, out
    assert not traces(out + err), err
    assert not traces(files(tmp_path))
