"""Commands that cannot be carried out: one clear line, exit code 2, and nothing half done."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from archive import Archive
from command_line import call, one_line


def empty_folder(archive: Archive) -> list[str]:
    return ["ingest", str(archive.inbox)]


def missing_path(archive: Archive) -> list[str]:
    return ["ingest", str(archive.folder / "nowhere")]


def missing_path_tonight(archive: Archive) -> list[str]:
    return ["nightly", str(archive.folder / "nowhere"), "-o", str(archive.products)]


def unwritable_output(archive: Archive) -> list[str]:
    archive.expose()
    (archive.folder / "file").write_text("dear")
    return ["nightly", str(archive.inbox), "-o", str(archive.folder / "file" / "products")]


def poller_of_9_columns(archive: Archive) -> list[str]:
    (archive.folder / "p.out").write_text("a_flt.fits,1,B6O,04,1.0,F125W,IR,skycell-p0001x01y01,NEW\n")
    return ["process", str(archive.folder / "p.out")]


def poller_with_a_bad_flag(archive: Archive) -> list[str]:
    (archive.folder / "p.out").write_text("a_flt.fits,1,B6O,04,1.0,F125W,IR,skycell-p0001x01y01,BAD,/x/a_flt.fits\n")
    return ["process", str(archive.folder / "p.out")]


def poller_with_a_bad_cell(archive: Archive) -> list[str]:
    (archive.folder / "p.out").write_text("a_flt.fits,1,B6O,04,1.0,F125W,IR,skycell-p9999x01y01,NEW,/x/a_flt.fits\n")
    return ["process", str(archive.folder / "p.out")]


def poller_of_a_missing_file(archive: Archive) -> list[str]:
    (archive.folder / "p.out").write_text("a_flt.fits,1,B6O,04,1.0,F125W,IR,skycell-p0001x01y01,NEW,/x/a_flt.fits\n")
    return ["process", str(archive.folder / "p.out")]


def missing_poller(archive: Archive) -> list[str]:
    return ["process", str(archive.folder / "p.out")]


def unknown_cell(archive: Archive) -> list[str]:
    archive.expose()
    call(archive, "ingest", str(archive.inbox))
    return ["status", "--skycell", "skycell-p0001x01y01"]


def no_cell_at_all(archive: Archive) -> list[str]:
    return ["cells", "skycell-p9999x01y01"]


def no_catalog(archive: Archive) -> list[str]:
    archive.address = str(archive.folder / "nowhere.db")
    return ["status"]


def no_database(archive: Archive) -> list[str]:
    archive.address = str(archive.folder / "other.db")
    Path(archive.address).write_text("something else, and long enough to be no database header" * 9)
    return ["ingest", str(archive.expose())]


def no_products_folder(archive: Archive) -> list[str]:
    archive.expose()
    call(archive, "ingest", str(archive.inbox))
    return ["reconcile"]


def unknown_option(archive: Archive) -> list[str]:
    return ["status", "--nonsense"]


def missing_argument(archive: Archive) -> list[str]:
    return ["ingest"]


def impossible_position(archive: Archive) -> list[str]:
    return ["cells", "--at", "10", "95"]


def nothing_to_list(archive: Archive) -> list[str]:
    return ["cells"]


CANNOT = (
    empty_folder, missing_path, missing_path_tonight, unwritable_output, poller_of_9_columns, poller_with_a_bad_flag,
    poller_with_a_bad_cell, poller_of_a_missing_file, missing_poller, unknown_cell, no_cell_at_all, no_catalog,
    no_database, no_products_folder, unknown_option, missing_argument, impossible_position, nothing_to_list,
)  # fmt: skip


@pytest.mark.parametrize("prepare", CANNOT, ids=lambda function: function.__name__)
def test_what_cannot_be_done_is_one_line_and_exit_code_2(archive: Archive, prepare: Any) -> None:
    words = prepare(archive)
    before = {path: path.read_bytes() for path in archive.folder.rglob("*") if path.is_file()}
    code, out, err = call(archive, *words)
    assert (code, out) == (2, "")
    line = one_line(err)
    assert "Traceback" not in line
    assert len(line) > 30, "it says what was found, what was expected and what to do"
    after = {path: path.read_bytes() for path in archive.folder.rglob("*") if path.is_file()}
    for path, content in before.items():
        if path.suffix != ".db" or prepare is no_database:
            assert after[path] == content
    assert not [path for path in after if path.suffix == ".tmp"]
