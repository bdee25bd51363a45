"""No message shows a password, whatever the form of the address, right or wrong."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from click.testing import CliRunner

from mvmdb import cli
from mvmdb.errors import CatalogError
from mvmdb.schema.addresses import database_url, hide_password

SECRET = "s3cr3tword"
ADDRESSES = [
    f"postgresql+psycopg://u:{SECRET}@127.0.0.1:1/d",
    f"postgresql://u:{SECRET}@127.0.0.1:1/d",
    f"postgresql+psycopg://u:{SECRET}@127.0.0.1:port/d",
    f"postgresql+psycopg://u:x@{SECRET}@127.0.0.1:1/d",
    f"postgresql+psycopg://u:{SECRET}@x@127.0.0.1:1/d",
    f"postgresql+psycopg://u:{SECRET}/x@127.0.0.1:1/d",
    f"postgresql+psycopg://u:{SECRET}?x@127.0.0.1:1/d",
    f"postgresql://u:{SECRET}",
    f"postgresql+psycopg://u:{SECRET}/d",
    f"postgresql+psycopg://u@127.0.0.1:1/d?password={SECRET}",
    f"postgresql+psycopg://u@127.0.0.1:1/d?passwd={SECRET}",
    f"postgresql+psycopg://u@127.0.0.1:1/d?sslpassword={SECRET}",
    f"postgresql+psycopg://u@127.0.0.1:1/d?connect_timeout=1&PASSWORD={SECRET}",
    f"postgresql+psycopg://u@127.0.0.1:1/d?oauth_client_secret={SECRET}",
    f"postgresql+psycopg2://u:{SECRET}@h/d",
    f"mysql://u:{SECRET}@h/d",
    f"nosuch://u:{SECRET}@h/d",
    f"postgresql//u:{SECRET}@h/d",
    f"postgresql:/u:{SECRET}@h/d",
    f"postgres:u:{SECRET}@h/d",
    f"u:{SECRET}@h/d",
    f"u:{SECRET}@h",
    f"host=127.0.0.1 user=u password={SECRET}",
    f"host=127.0.0.1 password = '{SECRET} more' user=u",
    f"password={SECRET}",
    f"postgresql+psycopg://u@127.0.0.1:1/d?pazzwd={SECRET}",
    f"postgresql+psycopg://u@127.0.0.1:1/d?connect_timeout=1&pw={SECRET}",
    f"postgresql://u;{SECRET}@127.0.0.1:1/d",
    f"postgresql://u|{SECRET}@127.0.0.1:1/d",
    f"postgresql://u@127.0.0.1:{SECRET}/d",
    f"postgresql+psycopg://u@127.0.0.1:{SECRET}",
]


@pytest.mark.parametrize("address", ADDRESSES)
@pytest.mark.parametrize("command", ["status", "init"])
def test_no_address_shows_its_password(
    address: str, command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["mvmdb", "-v", "--db", address, command])
    caplog.set_level(logging.DEBUG)
    with pytest.raises(SystemExit) as ending:
        cli.main()
    printed = capsys.readouterr()
    assert ending.value.code == 2, printed
    assert SECRET not in printed.out + printed.err
    assert "internal error" not in printed.err
    assert SECRET not in "".join(record.getMessage() for record in caplog.records)
    assert list(tmp_path.iterdir()) == [], "a slip makes no file"


def test_the_rest_of_an_address_is_shown() -> None:
    shown = hide_password(f"postgresql+psycopg://me:{SECRET}@dbhost:5432/mvm?sslmode=require&password={SECRET}")
    assert shown == "postgresql+psycopg://me:***@dbhost:5432/mvm?sslmode=require&password=***"
    for address in ("mvm.db", "/data/mvm.db", "sqlite:////data/mvm.db", "postgresql+psycopg://me@dbhost/mvm"):
        assert hide_password(address) == address


@pytest.mark.parametrize("name", ["a@b.db", "data:1.db", "x=1.db", "my host.db", "~/mvm.db", "odd@dir/mvm.db"])
def test_paths_of_unusual_names_are_paths(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "odd@dir").mkdir()
    address = f"./{name}" if "@" in name else name
    assert database_url(address).get_backend_name() == "sqlite"


@pytest.mark.parametrize("address", ["", " "])
def test_an_empty_address_is_refused(address: str) -> None:
    with pytest.raises(CatalogError, match="is empty"):
        database_url(address)
    assert CliRunner().invoke(cli.commands, ["--db", address, "status"]).exit_code != 0
