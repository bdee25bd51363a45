"""A few seeded kills of those that `make chaos` makes by the thousand."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from chaos.killing import DifferenceError, Reference, kill_at_call, kill_at_random, list_calls, run_once
from chaos.nest import Nest
from chaos.scenes import PostgresStore, Scene, SqliteStore, make_scene
from chaos.state import find_differences
from postgres import Server


@pytest.fixture(scope="module")
def nest() -> Iterator[Nest]:
    with Nest() as process:
        yield process


@pytest.fixture(scope="module")
def night(nest: Nest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Scene, Reference]:
    """A night that has everything to do, and what it leaves if nobody kills it."""
    scene = make_scene("nightly", tmp_path_factory.mktemp("chaos") / "night", SqliteStore)
    return scene, run_once(nest, scene)


def test_the_run_after_a_killed_night_leaves_what_a_night_that_was_not_killed_leaves(
    nest: Nest, night: tuple[Scene, Reference]
) -> None:
    rng = random.Random(12)
    for _ in range(2):
        kill_at_random(nest, *night, rng)


def test_so_it_is_on_postgresql(nest: Nest, postgres: Server, tmp_path: Path) -> None:
    scene = make_scene("nightly", tmp_path / "night", lambda _work: PostgresStore(postgres, "killed_night"))
    reference = run_once(nest, scene, executors=("serial",))
    kill_at_random(nest, scene, reference, random.Random(12))


def test_a_kill_between_two_changes_of_a_night_does_no_harm(nest: Nest, night: tuple[Scene, Reference]) -> None:
    calls = list_calls(nest, night[0])
    assert {"commit", "create", "mkdir", "rename", "sync", "unlink", "write"} <= {call.deed for call in calls}
    removed = [n for n, call in enumerate(calls) if call.deed == "unlink" and call.path.endswith("_drz.fits")]
    planned = [n for n, call in enumerate(calls) if call.target.endswith("_input.planned")]
    first_poller = next(n for n, call in enumerate(calls) if call.target.endswith("_input.out"))
    # An orphan is gone and still recorded; a drc has replaced its drz; a member is refused and planned; all is made.
    for number in (removed[0] + 1, removed[-1] + 1, planned[-1], first_poller):
        kill_at_call(nest, *night, number)


@pytest.mark.parametrize("name", ["ingest", "upgrade"])
def test_other_commands_are_killed_without_harm_too(nest: Nest, tmp_path: Path, name: str) -> None:
    scene = make_scene(name, tmp_path / name, SqliteStore)
    reference, rng = run_once(nest, scene), random.Random(12)
    for _ in range(3):
        kill_at_random(nest, scene, reference, rng)


def test_the_comparison_sees_a_row_a_byte_and_a_file_too_many(nest: Nest, night: tuple[Scene, Reference]) -> None:
    scene, reference = night
    changed = reference.state | {"file products/.left.tmp": b""}
    changed["table layer"] = reference.state["table layer"] - type(reference.state["table layer"])()
    changed["table layer"].popitem()
    (product,) = [name for name in changed if name.endswith("f606w_all_drz.fits")]
    changed[product] = changed[product][:-1] + b"x"
    lines = find_differences(reference.state, changed)
    assert [line.split(":")[0] for line in lines] == ["file products/.left.tmp", product, "table layer"]
    wrong = Reference(0.01, reference.code, changed)
    with pytest.raises(DifferenceError, match=r"\.left\.tmp: missing"):
        kill_at_random(nest, scene, wrong, random.Random(12))
