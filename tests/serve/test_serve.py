"""`mvmdb serve` and Datasette itself, as processes that answer over HTTP."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from archive import CELL, FINE, Archive
from command_line import call
from serving import get, running, until

import mvmdb
from mvmdb.catalog.ask.canned import CANNED
from mvmdb.catalog.ask.relations import describe_schema
from mvmdb.serve.site import Site, open_site

NAME = "my~2520mvm"
"""`my%20mvm`, as Datasette writes it in addresses."""
ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"


def rows(address: str, sql: str) -> Any:
    status, text = get(f"{address}.json?_shape=array&sql={quote(sql)}")
    assert status == 200, text
    return json.loads(text)


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    """Two exposures in a catalog whose name needs care in an address of a file, to be read."""
    folder = tmp_path_factory.mktemp("shown")
    (folder / "inbox").mkdir()
    archive = Archive(folder, str(folder / "my%20mvm.db"))
    archive.expose("ib6o04tuq")
    archive.expose("ib6o04twq", north=20)
    archive.ingest()
    return archive


@pytest.fixture(scope="module")
def site(shown: Archive) -> Iterator[str]:
    """The address of `mvmdb serve`."""
    words = ("mvmdb", "--db", shown.address, "serve", "--port", "0", "--timeout", "1")
    with running(*words, told="serving") as (_, address):
        yield address


@pytest.fixture(scope="module")
def database(site: str) -> str:
    """The address of the catalog in it."""
    return f"{site}/{NAME}"


def test_the_start_page_leads_to_map_questions_and_tables(site: str, database: str) -> None:
    status, page = get(f"{site}/")
    assert status == 200
    links = re.findall(r'href="(/[^"#]*)"', page.replace("&amp;", "&"))
    assert "/map/index.html" in links
    assert len([link for link in links if link.startswith("/my")]) >= len(CANNED) + len(describe_schema())
    for link in links:
        until(lambda link=link: get(site + link)[0] == 200 or "/map/" not in link)
        assert get(site + link)[0] == 200, link
    assert get(f"{site}/map/")[1] == get(f"{site}/map/index.html")[1]
    assert "2 exposures in 1 sky cells" in page


def test_nothing_is_asked_of_another_server(site: str, database: str) -> None:
    for path in (f"{site}/", database, f"{database}/layer", f"{database}/coverage_near"):
        page = get(path)[1]
        loaded = re.findall(r'<(?:script|link|img|iframe)[^>]*(?:src|href)="([^"]+)"', page)
        assert loaded
        assert not [u for u in loaded if "://" in u and not u.startswith(site)], path


def test_a_question_is_answered_with_parameters_of_the_address(database: str) -> None:
    asked = f"{database}/coverage_near.json?_shape=array&ra=52.68&dec=-26.0&radius=0.02"
    (row,) = json.loads(get(asked)[1])
    assert (row["layer"], row["exposures"]) == (FINE, 2)
    assert json.loads(get(f"{database}/coverage_near.json?_shape=array")[1]) == []
    assert rows(database, "SELECT skycell_name(id) = name AS same FROM skycell") == [{"same": 1}]


def test_every_table_view_and_column_is_described(site: str, database: str) -> None:
    described = json.loads(get(f"{site}/-/metadata.json")[1])["databases"]["my%20mvm"]["tables"]
    for relation in describe_schema():
        shown_as = described[relation["name"]]
        assert shown_as["description"] == relation["meaning"]
        assert shown_as["columns"] == {c["name"]: c["meaning"] for c in relation["columns"]}
        assert shown_as["column_units"] == {c["name"]: c["unit"] for c in relation["columns"] if c["unit"]}
    assert "right ascension" in get(f"{database}/exposure")[1] or "degrees" in get(f"{database}/exposure")[1]


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM exposure", "ATTACH 'other.db' AS other", "SELECT load_extension('x')", "PRAGMA query_only = 0",
        "SELECT * FROM pragma_journal_mode", "SELECT zeroblob(20000000)", "VACUUM INTO 'copy.db'",
        "SELECT writefile('x', 'y')", "WITH a AS (SELECT 1) DELETE FROM exposure",
    ],
)  # fmt: skip
def test_sql_that_could_do_more_than_find_rows_is_refused(database: str, shown: Archive, sql: str) -> None:
    before = Path(shown.address).read_bytes()
    status, text = get(f"{database}.json?sql={quote(sql)}")
    assert status == 400
    assert json.loads(text)["ok"] is False
    assert Path(shown.address).read_bytes() == before


def test_a_question_that_takes_too_long_is_stopped_with_the_remedy(database: str) -> None:
    status, text = get(f"{database}.json?sql={quote(ENDLESS)}")
    assert status == 400
    assert "took longer than 1 s" in json.loads(text)["error"]


def test_what_is_wrong_in_a_question_is_told_to_who_asked_and_not_to_the_log(
    database: str, shown: Archive, capfd: pytest.CaptureFixture[str]
) -> None:
    status, text = get(f"{database}/exposure?_sort=nope")
    assert (status, text.strip()) == (400, "400: Cannot sort table by nope")
    with open_site(Path(shown.address), 5, None) as site, pytest.raises(sqlite3.OperationalError, match="nope"):
        asyncio.run(site.database.execute("SELECT nope FROM exposure"))
    assert capfd.readouterr() == ("", "")


def test_a_catalog_that_was_replaced_is_shown_as_it_is_now(
    shown: Archive, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file, other = tmp_path / "mvm.db", Archive(tmp_path, str(tmp_path / "other.db"))
    shutil.copy(shown.address, file)
    mvmdb.open(other.address, create=True)

    async def count(site: Site) -> Any:
        return (await site.database.execute("SELECT count(*) FROM exposure")).first()[0]

    async def ask(site: Site) -> list[Any]:
        await site.datasette.invoke_startup()
        counts = [await count(site)]
        file.unlink()
        with pytest.raises(sqlite3.OperationalError, match="there is no catalog at"):
            await count(site)
        answer = await site.datasette.client.get(f"/{site.database.name}/exposure")
        assert (answer.status_code, answer.text[:27]) == (503, "503: there is no catalog at")
        os.replace(other.address, file)
        return [*counts, await count(site)]

    with open_site(file, 5, None) as site:
        assert asyncio.run(ask(site)) == [2, 0]
    assert capfd.readouterr() == ("", "")  # no traceback


def test_only_requests_that_read_and_name_this_server_are_answered(site: str) -> None:
    host = site.removeprefix("http://")

    def status(method: str, **headers: str) -> int:
        connection = http.client.HTTPConnection(host, timeout=60)
        connection.request(method, "/", headers=headers)
        with connection.getresponse() as answer:
            return answer.status

    assert [status("GET"), status("GET", Host="localhost"), status("HEAD")] == [200] * 3
    assert [status("GET", Host="archive.example:80"), status("POST"), status("DELETE")] == [421, 405, 405]


def test_a_night_completes_while_the_catalog_is_asked_without_end(tmp_path: Path) -> None:
    (tmp_path / "inbox").mkdir()
    archive = Archive(tmp_path, str(tmp_path / "mvm.db"))
    archive.expose("ib6o04tuq")
    archive.ingest()
    over, answered, broken = threading.Event(), [], []

    def ask(path: str) -> None:
        while not over.is_set():
            status, text = get(path)
            answered.append(status)
            if status >= 500 and "a run is writing" not in text:
                broken.append(text)

    words = ("mvmdb", "--db", archive.address, "serve", "--port", "0", "--timeout", "0.5")
    with running(*words, told="serving") as (process, address):
        asked = [
            f"{address}/mvm/coverage",
            f"{address}/mvm/stale_layer",
            f"{address}/mvm.json?sql={quote(ENDLESS + ', exposure')}",
        ]
        threads = [threading.Thread(target=ask, args=(path,)) for path in asked]
        for thread in threads:
            thread.start()
        try:
            assert archive.night().reconcile.drizzled == 2
        finally:
            over.set()
            for thread in threads:
                thread.join()
        assert 200 in answered
        assert broken == []
        assert rows(f"{address}/mvm", "SELECT count(*) AS stale FROM stale_layer") == [{"stale": 0}]
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 143


def test_ctrl_c_ends_it_while_a_question_is_at_work(shown: Archive) -> None:
    words = ("mvmdb", "--db", shown.address, "serve", "--port", "0", "--timeout", "50", "--no-map")
    with running(*words, told="serving") as (process, address):
        assert get(f"{address}/map/index.html")[0] == 404
        (found,) = json.loads(get(f"{address}/-/databases.json")[1])
        assert found["path"] == shown.address
        connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=60)
        connection.request("GET", f"/{NAME}.json?sql={quote(ENDLESS)}")
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130
        assert process.stdout is not None
        assert "Traceback" not in process.stdout.read()


def test_what_cannot_be_served_is_refused_in_one_line(shown: Archive) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        code, out, error = call(shown, "serve", "--port", port)
    assert (code, out) == (2, "")
    assert f"port {port} of 127.0.0.1 is in use; give another one with --port" in error
    strange = shown.folder / "strange"
    strange.mkdir()
    (strange / "index.html").write_text("<p>mine")
    code, _, error = call(shown, "serve", "--port", "0", "--map", str(strange))
    assert (code, "is not of a page of mvmdb" in error) == (2, True)
    code, _, error = call(shown, "serve", "--map", str(strange), "--no-map")
    assert (code, "--map and --no-map are both given" in error) == (2, True)
    server = Archive(shown.folder, "postgresql+psycopg://me@nowhere/mvm")
    code, _, error = call(server, "serve")
    assert (code, "publish it by TAP (docs/seeing/tap.md)" in error) == (2, True)
    code, _, error = call(Archive(shown.folder, str(shown.folder / "none.db")), "serve")
    assert (code, "there is no catalog at" in error) == (2, True)


def test_without_datasette_the_extra_is_named(shown: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasette.app", None)
    code, _, error = call(shown, "serve", "--port", "0")
    assert (code, "pip install 'mvmdb[serve]'" in error) == (2, True)


def test_datasette_itself_shows_meanings_and_questions_of_catalogs_alone(shown: Archive, tmp_path: Path) -> None:
    catalog, other = tmp_path / "mvm.db", tmp_path / "other.db"
    catalog.write_bytes(Path(shown.address).read_bytes())
    other.touch()
    own = tmp_path / "metadata.json"
    own.write_text(json.dumps({"databases": {"mvm": {"tables": {"layer": {"description": "mine"}}}}}))
    words = ("datasette", "serve", str(catalog), str(other), "--metadata", str(own), "-p", "0")
    with running(*words, told="Uvicorn running") as (_, address):
        (row,) = json.loads(get(f"{address}/mvm/coverage_near.json?_shape=array&ra=52.68&dec=-26&radius=0.1")[1])
        assert row["layer"] == FINE
        found = json.loads(get(f"{address}/-/metadata.json")[1])["databases"]
        assert found["mvm"]["tables"]["layer"]["description"] == "mine"
        assert found["mvm"]["tables"]["layer"]["columns"]["exptime"] == "summed exposure time, seconds"
        assert set(found) == {"mvm"}
        assert get(f"{address}/other/coverage_near")[0] == 404
        assert rows(f"{address}/other", "SELECT skycell_name(726, 11, 11) AS name") == [{"name": CELL}]
