"""Exposures whose files are gone from watched folders leave when the user agrees, and return with their files."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from archive import Archive, call
from staleness import agreed_reasons, record_all

import mvmdb
from mvmdb.catalog.exposures.prune import Watched, prune_exposures
from mvmdb.catalog.exposures.vanished import note_vanished
from mvmdb.catalog.open import open_catalog
from mvmdb.console import pruning
from mvmdb.errors import UsageError

GONE = "ib6o04tuq_flt.fits"
REMOVED = [("member-removed", "ib6o04tu"), ("canvas-changed", None)]


def ingest(archive: Archive, *words: str) -> Any:
    return call(archive, "ingest", str(archive.inbox), *words)


def pruned(archive: Archive) -> list[str]:
    return [name for (name,) in archive.rows("SELECT ipppssoo FROM exposure WHERE pruned ORDER BY ipppssoo")]


def events(archive: Archive) -> list[tuple[Any, ...]]:
    kinds = "('exposure-pruned', 'exposure-returned', 'exposure-withdrawn', 'exposure-readmitted')"
    return archive.rows(f"SELECT kind, exposure FROM event WHERE kind IN {kinds} ORDER BY id")


def aside(archive: Archive, name: str = GONE) -> Path:
    """Move a file of the inbox out of it, with its time."""
    return (archive.inbox / name).rename(archive.folder / name)


@pytest.fixture
def watched(archive: Archive) -> Archive:
    """Three exposures, of which one has a copy elsewhere in the inbox; their mosaics are made."""
    return fill(archive)


@pytest.fixture
def small(tmp_path: Path) -> Archive:
    """The same on SQLite alone and without mosaics, for what depends on neither."""
    (tmp_path / "inbox").mkdir()
    return fill(Archive(tmp_path, str(tmp_path / "mvm.db")), made=False)


def fill(archive: Archive, *, made: bool = True) -> Archive:
    for number, root in enumerate(("ib6o04tuq", "ib6o04twq", "ib6o04tzq")):
        archive.expose(root, east=number)
    shutil.copytree(archive.inbox, archive.inbox / "spare", ignore=shutil.ignore_patterns("*tu*", "*tz*"))
    archive.ingest()
    if made:
        record_all(archive)
    return archive


def test_exposures_whose_files_are_gone_leave_and_return_with_their_files(watched: Archive) -> None:
    kept = aside(watched)
    (watched.inbox / "ib6o04twq_flt.fits").unlink()
    done = ingest(watched, "--prune")
    assert done.exit_code == 1
    assert "nothing pruned: 1 exposure whose file is gone would leave, and nobody can be asked" in done.stdout
    assert f"switched: ib6o04tw: its file is gone, and {watched.inbox}/spare/ib6o04twq_flt.fits" in done.stdout
    assert agreed_reasons(watched) == {}
    done = ingest(watched, "--prune", "--yes", "--json")
    assert done.exit_code == 0
    gone = [{"ipppssoo": "ib6o04tu", "path": str(watched.inbox / GONE)}]
    assert json.loads(done.stdout)["prune"] == {"gone": gone, "pruned": gone, "switched": {}, "refused": ""}
    assert [reasons[:2] for reasons in agreed_reasons(watched).values()] == [REMOVED, REMOVED]
    assert "as its file is gone; it returns when the file does" in call(watched, "explain", "ib6o04tu").stdout
    assert ingest(watched, "--prune").exit_code == 0, "nothing is gone any more"
    kept.rename(watched.inbox / GONE)  # the very file, of the same size and time
    assert "1 changed" in ingest(watched).stdout
    assert agreed_reasons(watched) == {}
    assert events(watched) == [("exposure-pruned", "ib6o04tu"), ("exposure-returned", "ib6o04tu")]
    assert watched.rows("SELECT count(*) FROM exposure WHERE withdrawn_at IS NOT NULL") == [(0,)]


def test_a_night_prunes_and_reports_what_left_and_returned(small: Archive) -> None:
    watched, kept = small, aside(small)
    words = ("nightly", str(watched.inbox), "-o", str(watched.products), "--yes", "--executor", "serial", "--json")
    before = json.loads(call(watched, *words).stdout)
    assert [file["path"] for file in before["vanished"]] == [str(watched.inbox / GONE)]
    assert "prune" not in before
    done = call(watched, *words, "--prune", "--prune-yes", "--report", str(watched.folder / "night.txt"))
    night = json.loads(done.stdout)
    assert (done.exit_code, night["vanished"], len(night["prune"]["pruned"])) == (0, [], 1)
    assert night["reconcile"]["failed"] == 0
    assert f"Left (1)\n  ib6o04tu: {watched.inbox / GONE}\n" in (watched.folder / "night.txt").read_text()
    assert call(watched, "quarantine").exit_code == 0, "it is no vanished file any more"
    kept.rename(watched.inbox / GONE)
    report = watched.folder / "night.json"
    assert call(watched, *words, "--prune", "--report", str(report)).exit_code == 0
    assert [line["what"] for line in json.loads(report.read_text())["came"]] == ["returned"]
    assert pruned(watched) == []


def test_a_withdrawal_is_not_undone_by_the_file_that_returns(small: Archive) -> None:
    call(small, "withdraw", "ib6o04tz", "--why", "guide star lost")
    kept = [aside(small), aside(small, "ib6o04tzq_flt.fits")]
    ingest(small, "--prune", "--yes")
    assert pruned(small) == ["ib6o04tu"]
    found = mvmdb.open(small.address).exposures(columns=["ipppssoo", "standing"])
    assert {("ib6o04tu", "pruned"), ("ib6o04tz", "withdrawn")} <= {tuple(row) for row in found}
    call(small, "withdraw", "ib6o04tu")  # the user's word replaces that of the pruning
    assert pruned(small) == []
    for path in kept:
        path.rename(small.inbox / path.name)
    ingest(small)
    withdrawn = small.rows("SELECT ipppssoo FROM exposure WHERE withdrawn_at IS NOT NULL ORDER BY ipppssoo")
    assert withdrawn == [("ib6o04tu",), ("ib6o04tz",)]


def test_a_pruned_exposure_returns_with_another_file_and_by_readmit(small: Archive) -> None:
    kept = aside(small)
    ingest(small, "--prune", "--yes")
    (small.folder / "later").mkdir()
    moved = kept.rename(small.folder / "later" / GONE)
    assert call(small, "ingest", str(moved)).exit_code == 0
    assert pruned(small) == []
    assert small.rows("SELECT DISTINCT n_exposures FROM layer") == [(3,)]
    moved.unlink()
    (small.folder / "later" / "note.txt").touch()
    call(small, "ingest", str(small.inbox), "--prune", "--yes")
    assert pruned(small) == [], "its file was in no folder that is watched"
    call(small, "ingest", str(small.folder), "--prune", "--yes")
    assert pruned(small) == ["ib6o04tu"]
    assert call(small, "readmit", "ib6o04tu").exit_code == 0
    assert pruned(small) == []
    assert small.rows("SELECT DISTINCT n_exposures FROM layer") == [(3,)]


def test_the_user_is_asked_at_a_terminal(small: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    from click.testing import CliRunner

    from mvmdb.cli import commands

    aside(small)
    monkeypatch.setattr(pruning, "sys", SimpleNamespace(stdin=SimpleNamespace(isatty=lambda: True)))
    words = ["--db", small.address, "ingest", str(small.inbox), "--prune"]
    done = CliRunner().invoke(commands, words, input="n\n")
    assert done.exit_code == 1
    assert f"gone: ib6o04tu: {small.inbox / GONE}\n" in done.stderr
    assert "Let 1 exposure whose file is gone leave?" in done.stderr
    assert pruned(small) == []
    assert CliRunner().invoke(commands, words, input="y\n").exit_code == 0
    assert pruned(small) == ["ib6o04tu"]


def test_more_than_the_limit_do_not_leave_and_options_need_pruning_and_a_folder(small: Archive) -> None:
    for words in ([str(small.inbox), "--prune-limit", "3"], [str(small.inbox / GONE), "--prune"]):
        assert isinstance(call(small, "ingest", *words).exception, UsageError)
    aside(small)
    aside(small, "ib6o04tzq_flt.fits")
    done = ingest(small, "--prune", "--yes", "--prune-limit", "1")
    assert done.exit_code == 1
    assert "2 exposures are gone from the watched folders; expected at most 1 at once" in done.stdout
    assert pruned(small) == []
    assert ingest(small, "--prune", "--yes", "--prune-limit", "2").exit_code == 0
    assert pruned(small) == ["ib6o04tu", "ib6o04tz"]


def test_nothing_leaves_where_a_volume_may_be_away(small: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that is empty, gone or unreadable, and links to files that are away."""
    volume = small.inbox / "volume"
    small.expose("ib6o05tuq", folder=volume)
    small.ingest()
    (volume / "ib6o05tuq_flt.fits").unlink()
    aside(small)
    done = ingest(small, "--prune", "--yes")
    assert (done.exit_code, pruned(small)) == (1, [])
    assert f"the folder {volume} is empty" in done.stdout
    assert "remove the empty folder" in done.stdout
    scandir = os.scandir

    def refuse(path: Any) -> Any:
        if str(path) == str(volume):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    with monkeypatch.context() as patch:
        patch.setattr(os, "scandir", refuse)
        done = ingest(small, "--prune", "--yes")
    assert (done.exit_code, pruned(small)) == (1, [])
    assert f"the folder {volume} cannot be read (Permission denied)" in done.stdout
    volume.rmdir()
    (small.inbox / GONE).symlink_to(small.folder / "away" / GONE)
    done = ingest(small, "--prune", "--yes")
    assert pruned(small) == ["ib6o05tu"], "a broken link is there"
    everything = small.inbox.rename(small.folder / "elsewhere")
    small.inbox.mkdir()
    assert isinstance(ingest(small, "--prune", "--yes").exception, UsageError)
    with open_catalog(small.address) as engine:  # as nightly does, to which an empty inbox is no error
        report = prune_exposures(engine, Watched((str(small.inbox),), lambda gone: ""), ())
        assert f"the folder {small.inbox} is empty" in report.refused
        small.inbox.rmdir()
        assert (
            "what is left of its path"
            in prune_exposures(engine, Watched((str(small.inbox),), lambda _: ""), ()).refused
        )
    assert pruned(small) == ["ib6o05tu"]
    assert everything.is_dir()


def test_only_what_the_command_works_on_leaves(small: Archive) -> None:
    other = small.expose("jdmo01b1q", detector="WFC", kind="flc", folder=small.folder / "other")
    small.expose("jdmo01b2q", detector="WFC", kind="flc", folder=small.folder / "other")
    small.ingest(small.inbox, small.folder / "other")
    other.unlink()
    aside(small)
    assert ingest(small, "--prune", "--yes", "--filter", "f814w").exit_code == 0
    assert pruned(small) == []
    both = (str(small.inbox), str(small.folder / "other"))
    call(small, "ingest", *both, "--prune", "--yes", "--program", "dmo")
    assert pruned(small) == ["jdmo01b1"]
    call(small, "ingest", *both, "--prune", "--yes", "--skycell", "p0001x11y11")
    assert pruned(small) == ["jdmo01b1"]
    with open_catalog(small.address) as engine:
        note_vanished(engine, ())
    call(small, "quarantine", "--accept", GONE)
    call(small, "ingest", *both, "--prune", "--yes")
    assert pruned(small) == ["jdmo01b1"], "the user has accepted that the other file is gone"
