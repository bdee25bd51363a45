"""Which method an archive has: `mvmdb` a new one, `hap` one that was made before there was a choice."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from archive import FINE, Archive, call
from databases import Databases

from mvmdb.catalog.decisions.values import FILENAME
from mvmdb.catalog.open import open_catalog
from mvmdb.catalog.settings import METHOD, read_policy, read_settings
from mvmdb.schema import tables as t


@pytest.fixture
def archive(databases: Databases, tmp_path: Path) -> Archive:
    archive = Archive(tmp_path, databases.empty())
    archive.expose()
    archive.expose("ib6o04twq", east=2)
    return archive


def forget_method(archive: Archive) -> None:
    """Make the catalog one from before there was a choice."""
    with open_catalog(archive.address) as engine, engine.begin() as connection:
        connection.execute(t.archive.delete().where(t.archive.c.key == METHOD))


def method(archive: Archive) -> str:
    return str(json.loads(call(archive, "config", "--json").stdout)["method"])


def test_a_new_catalog_makes_mosaics_by_mvmdbs_methods(archive: Archive) -> None:
    archive.night()
    with open_catalog(archive.address) as engine, engine.begin() as connection:
        assert read_settings(connection)[METHOD] == "mvmdb"
        assert read_policy(connection).making.shallow == "match"
    assert method(archive) == "mvmdb"
    assert '"method": "mvmdb"' in archive.rows(f"SELECT recipe FROM product WHERE layer = '{FINE}'")[0][0]


def test_an_older_catalog_goes_on_as_it_was_until_it_is_told_otherwise(archive: Archive) -> None:
    call(archive, "init", "--products", str(archive.products))
    forget_method(archive)
    assert method(archive) == "hap"
    archive.night()
    assert "method" not in archive.rows(f"SELECT recipe FROM product WHERE layer = '{FINE}'")[0][0]
    for words in ((), ("--rule", "overlap"), ("--upgrade",)):
        assert call(archive, "init", *words).exit_code == 0
        assert (method(archive), archive.reasons()) == ("hap", {})
    assert call(archive, "init", "--method", "mvmdb").exit_code == 0
    assert archive.reasons()[FINE] == [("recipe-changed", None)]


def test_the_decisions_file_of_an_older_catalog_rebuilds_one_of_hap(archive: Archive) -> None:
    call(archive, "init", "--products", str(archive.products))
    forget_method(archive)
    archive.night()
    call(archive, "withdraw", "ib6o04tw")  # so that the file is written
    archive.reconcile()
    assert METHOD not in json.loads((archive.products / FILENAME).read_text())["settings"]
    archive.lose_catalog()
    assert call(archive, "rebuild", str(archive.inbox), "-o", str(archive.products)).exit_code == 0
    assert (method(archive), archive.reasons()) == ("hap", {})
