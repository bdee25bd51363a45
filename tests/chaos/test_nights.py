"""Nights that are killed, cannot write, or lose power: a few of those that `make chaos` makes by the thousand.

They are in one file, as they share an archive, and what a night leaves there that nothing happens to.
"""

from __future__ import annotations

import os
import random
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from chaos.failing import DATABASE_FULL, check_mosaics, check_next, check_words, fail_once
from chaos.killing import DifferenceError, Reference, kill_at_call, kill_at_random, list_calls, order_of, run_once
from chaos.nest import Nest, Order
from chaos.scenes import SCENES, PostgresStore, Scene, SqliteStore, make_scene
from chaos.state import find_differences
from chaos.syncing import find_unrenamed, find_unsynced
from chaos.taps import Call
from postgres import Server

Night = tuple[Nest, Scene, Reference]


@pytest.fixture(scope="module")
def nest() -> Iterator[Nest]:
    with Nest() as process:
        yield process


@pytest.fixture(scope="module")
def night(nest: Nest, tmp_path_factory: pytest.TempPathFactory) -> Night:
    """A night that has everything to do, and what it leaves if nothing happens to it."""
    scene = make_scene("nightly", tmp_path_factory.mktemp("chaos") / "night", SqliteStore)
    return nest, scene, run_once(nest, scene)


@pytest.fixture(scope="module")
def night_on_server(nest: Nest, postgres: Server, tmp_path_factory: pytest.TempPathFactory) -> Night:
    folder = tmp_path_factory.mktemp("chaos") / "night"
    scene = make_scene("nightly", folder, lambda _work: PostgresStore(postgres, "chaos_night"))
    return nest, scene, run_once(nest, scene, executors=("serial",))


@pytest.fixture(scope="module")
def calls(night: Night) -> list[Call]:
    """What the night does to files and to the catalog."""
    return list_calls(night[0], night[1])


def test_the_run_after_a_killed_night_leaves_what_a_night_that_was_not_killed_leaves(night: Night) -> None:
    kill_at_random(*night, random.Random(12))


def test_so_it_is_on_postgresql(night_on_server: Night) -> None:
    kill_at_random(*night_on_server, random.Random(12))


def test_a_kill_between_two_changes_of_a_night_does_no_harm(night: Night, calls: list[Call]) -> None:
    assert {"commit", "create", "mkdir", "rename", "sync", "unlink", "write"} <= {call.deed for call in calls}
    removed = [n for n, call in enumerate(calls) if call.deed == "unlink" and call.path.endswith("_drz.fits")]
    planned = [n for n, call in enumerate(calls) if call.target.endswith("_input.planned")]
    first_poller = next(n for n, call in enumerate(calls) if call.target.endswith("_input.out"))
    # An orphan is gone and still recorded; a drc has replaced its drz; a member is refused and planned; all is made.
    for number in (removed[0] + 1, removed[-1] + 1, planned[-1], first_poller):
        kill_at_call(*night, number)


@pytest.mark.parametrize("name", [name for name in SCENES if name != "nightly"])
def test_other_commands_are_killed_without_harm_too(nest: Nest, tmp_path: Path, name: str) -> None:
    scene = make_scene(name, tmp_path / name, SqliteStore)
    kill_at_random(nest, scene, run_once(nest, scene, executors=("serial",)), random.Random(12))


def test_the_comparison_sees_a_row_a_byte_and_a_file_too_many(night: Night) -> None:
    nest, scene, reference = night
    changed = reference.state | {"file products/.left.tmp": b""}
    changed["table layer"] = reference.state["table layer"].copy()
    changed["table layer"].popitem()
    (product,) = [name for name in changed if name.endswith("f606w_all_drz.fits")]
    changed[product] = changed[product][:-1] + b"x"
    lines = find_differences(reference.state, changed)
    assert [line.split(":")[0] for line in lines] == ["file products/.left.tmp", product, "table layer"]
    wrong = Reference(0.01, reference.code, changed)
    with pytest.raises(DifferenceError, match=r"\.left\.tmp: missing"):
        kill_at_random(nest, scene, wrong, random.Random(12))


def test_whatever_a_night_records_is_on_the_disk_by_then(night: Night) -> None:
    scene = night[1]
    words, scene.words = scene.words, [*scene.words, "--report", str(scene.work / "reports" / "night.html")]
    calls = list_calls(night[0], scene, succeeded=True)
    scene.words = words
    renamed = [call.target for call in calls if call.deed == "rename"]
    for ending in (".fits", "_input.out", "_input.planned", "_manifest.txt", "_trl.txt", "night.html"):
        assert any(path.endswith(ending) for path in renamed), ending
    assert {os.path.basename(call.path) for call in calls if call.deed == "mkdir"} >= {"skycell-p1000x11y15", "reports"}
    assert len([call for call in calls if call.deed == "unlink" and call.path.endswith("_drz.fits")]) == 3
    assert len([call for call in calls if call.deed == "unlink" and call.path.endswith("_trl.txt")]) >= 1
    assert any(call.deed == "unlink" and call.path.endswith("_input.out") for call in calls)
    assert find_unsynced(calls) == []
    assert {os.path.basename(path)[:11] for path in find_unrenamed(calls)} == {".mvmdb.lock"}


POINTS: dict[str, tuple[str, bool, Callable[[Call], bool]]] = {
    "the disk is full from the first mosaic on": (
        "ENOSPC", True, lambda call: call.deed == "write" and ".fits." in call.path,
    ),
    "poller and manifest of a new sky cell": (
        "EDQUOT", True, lambda call: call.deed == "create" and ".skycell-p1000x11y15_manifest.txt." in call.path,
    ),
    "the database": ("EIO", False, lambda call: call.deed == "commit"),
}  # fmt: skip


@pytest.mark.parametrize("point", POINTS)
def test_a_write_that_fails_is_told_with_file_and_cause_and_made_good(
    night: Night, calls: list[Call], point: str
) -> None:
    cause, lasting, is_meant = POINTS[point]
    numbers = [number for number, call in enumerate(calls) if is_meant(call)]
    number = numbers[len(numbers) // 2 if point == "the database" else 0]
    assert fail_once(*night, number, calls[number], cause, lasting=lasting) == "failed"


def fail(night: Night, order: Order, cause: str, name: str) -> str:
    """Run an order that is going to fail, and then the night; returns what the failing one said."""
    nest, scene, reference = night
    scene.restore()
    ended = nest.run(order)
    check_words(ended, cause, name, name)
    check_mosaics(scene, reference, name)
    check_next(nest, scene, reference, name)
    return ended.err


def test_a_database_that_may_not_grow_is_told_of(night: Night) -> None:
    order = replace(order_of(night[1]), hook="chaos.limits:limit_pages", given=[2])
    assert "check the file's permissions and its disk" in fail(night, order, DATABASE_FULL, "mvm.db")


def test_a_limit_of_file_size_is_told_of(night_on_server: Night) -> None:
    order = replace(order_of(night_on_server[1]), file_limit=60_000)
    fail(night_on_server, order, "File too large", "f125w_all_drz.fits")


def test_a_server_that_goes_away_in_a_transaction_is_told_of(night_on_server: Night, postgres: Server) -> None:
    server = f"host={postgres.folder} user=mvmdb dbname=postgres"
    order = replace(order_of(night_on_server[1]), hook="chaos.limits:break_connection", given=[20, server])
    assert "run the command again" in fail(night_on_server, order, "the connection was lost", "chaos_night")


@pytest.mark.parametrize("number", [2, 12, 25])
def test_a_server_that_stops_is_told_of(night_on_server: Night, postgres: Server, number: int) -> None:
    """It is gone for the rest of the run, and back for the next.

    The checkpoint is for the sequences of a database that was copied: without it, PostgreSQL takes numbers that the
    copied pages have in store for logged already, and a crash gives them out again.
    """
    nest, scene, reference = night_on_server
    scene.restore()
    postgres.run("CHECKPOINT")
    given = [number, postgres.control, postgres.user]
    try:
        ended = nest.run(replace(order_of(scene), hook="chaos.limits:stop_server", given=given))
    finally:
        postgres.start()
    check_words(ended, "connect", "chaos_night", f"a server that stops at commit {number}")
    check_mosaics(scene, reference, f"a server that stops at commit {number}")
    check_next(nest, scene, reference, f"a server that stops at commit {number}")


def test_a_database_that_others_hold_or_that_is_cut_short_is_told_of(night: Night) -> None:
    nest, scene, reference = night
    scene.restore()
    path = Path(scene.store.address)
    with closing(sqlite3.connect(path)) as other:
        other.execute("BEGIN IMMEDIATE")
        ended = nest.run(replace(order_of(scene), hook="chaos.limits:wait_briefly"))
    check_words(ended, "waited 0.3 s for", "mvm.db", "locked")
    whole = path.read_bytes()
    for size in (len(whole) // 2, 4096, 100):
        path.write_bytes(whole[:size])
        check_words(nest.run(order_of(scene)), "expected a whole file: restore a copy", "mvm.db", f"cut to {size}")
        check_mosaics(scene, reference, f"cut to {size}")
    path.write_bytes(whole)
    check_next(nest, scene, reference, "a copy")
