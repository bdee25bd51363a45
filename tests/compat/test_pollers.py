"""`generate_poller_file` as drizzlepac's callers use it."""

from __future__ import annotations

from pathlib import Path

import pytest
from archive import CELL, Archive

import mvmdb
from mvmdb.errors import InputError, UsageError

ROOT = "ib6o04tuq"


def line_of(path: Path) -> str:
    return f"{path.name},11359,B6O,04,802.934753,F125W,IR,{CELL},NEW,{path}\n"


def test_a_list_of_paths_gives_a_full_poller(archive: Archive, tmp_path: Path) -> None:
    path = archive.expose()
    mvmdb.generate_poller_file([str(path)], "mvm", tmp_path / "p.out", CELL)
    assert (tmp_path / "p.out").read_text() == line_of(path)


def test_a_poller_of_another_machine_names_the_files_beside_the_list(archive: Archive, tmp_path: Path) -> None:
    path = archive.expose()
    names = archive.inbox / "names.txt"
    names.write_text(f"/another/machine/{path.name}\n\n")
    mvmdb.generate_poller_file(str(names), output_poller_filename=str(tmp_path / "p.out"), skycell_name=CELL)
    assert (tmp_path / "p.out").read_text() == line_of(path)


def test_a_rootname_stands_for_its_flc_else_its_flt(
    archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = archive.expose()
    monkeypatch.chdir(archive.inbox)
    mvmdb.generate_poller_file([ROOT], output_poller_filename=str(tmp_path / "p.out"), skycell_name=CELL)
    assert (tmp_path / "p.out").read_text() == line_of(path)
    flc = archive.expose("jcz906dvq", detector="WFC", kind="flc", chips=2)
    archive.expose("jcz906dvq", detector="WFC", kind="flt", chips=2)
    mvmdb.generate_poller_file(["jcz906dvq"], output_poller_filename=str(tmp_path / "q.out"), skycell_name=CELL)
    assert (tmp_path / "q.out").read_text().endswith(f",NEW,{flc}\n")


def test_the_online_cache_is_looked_in(archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = archive.expose(folder=tmp_path / "cache" / ROOT[:4] / ROOT)
    monkeypatch.setenv("DATA_PATH", str(tmp_path / "cache"))
    for name in (ROOT, path.name):
        mvmdb.generate_poller_file([name], output_poller_filename=str(tmp_path / "p.out"), skycell_name=CELL)
        assert (tmp_path / "p.out").read_text() == line_of(path)


def test_a_file_that_is_nowhere_is_an_error_and_nothing_is_written(archive: Archive, tmp_path: Path) -> None:
    path = archive.expose()
    with pytest.raises(InputError, match=r"found no file ib6o99zzq_flc\.fits or ib6o99zzq_flt\.fits in .*DATA_PATH"):
        mvmdb.generate_poller_file([str(path), "ib6o99zzq"], "mvm", tmp_path / "p.out", CELL)
    assert not (tmp_path / "p.out").exists()
    with pytest.raises(InputError, match=r"the list .* cannot be read"):
        mvmdb.generate_poller_file(str(tmp_path / "no.txt"), "mvm", tmp_path / "p.out", CELL)


def test_other_pollers_and_missing_cells_are_refused(archive: Archive) -> None:
    path = archive.expose()
    with pytest.raises(UsageError, match="svm"):
        mvmdb.generate_poller_file([str(path)], poller_file_type="svm", skycell_name=CELL)
    with pytest.raises(UsageError, match="skycell_name"):
        mvmdb.generate_poller_file([str(path)])
