"""Kills a command at any point, runs it again, and compares the state with that of a run that was never killed.

A command is killed with its process group, as `kill -9 -GROUP` does, or with every process that it started, as a batch
system does. Either at a random moment, or just before each of its calls that change a file or the catalog.
"""

from __future__ import annotations

import json
import os
import random
import signal
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from chaos.nest import END_SESSION, Ended, Nest, Order
from chaos.scenes import Scene
from chaos.state import State, find_differences, read_state, without_history
from chaos.taps import Call, tap

EXECUTORS = ("serial", "processes:2")
KILLED = -signal.SIGKILL


class DifferenceError(AssertionError):
    """A run after a kill did not end as a run that was never killed; the text says where that was and what differs."""


@dataclass
class Tally:
    """What was done: kills, where they hit, and runs that had ended before they could be killed."""

    kills: int = 0
    ended_before: int = 0
    hits: Counter[str] = field(default_factory=Counter)

    def add(self, other: Tally) -> None:
        self.kills += other.kills
        self.ended_before += other.ended_before
        self.hits += other.hits


@dataclass(frozen=True)
class Reference:
    """A run that was never killed: how long it takes, its exit code, and the state that it leaves."""

    seconds: float
    code: int
    state: State


def order_of(scene: Scene, executor: str = "serial") -> Order:
    return Order(scene.command(), str(scene.work), scene.environ | {"MVMDB_EXECUTOR": executor})


def run_once(nest: Nest, scene: Scene, executors: Sequence[str] = EXECUTORS) -> Reference:
    """Run the scene's command once to its end from the start state, with each executor; all leave the same state."""
    seconds, codes, states = [], [], []
    for executor in executors:
        scene.restore()
        ended = nest.run(order_of(scene, executor))
        assert ended.code in (0, 1), f"{' '.join(scene.words)}: {ended.err}"
        seconds.append(ended.seconds)
        codes.append(ended.code)
        states.append(read_state(scene.store.address, scene.work))
    if differences := find_differences(states[0], states[-1]):
        raise DifferenceError("\n".join([f"{scene.name} on {scene.store.kind}, by {executors}:", *differences]))
    return Reference(max(seconds), codes[0], states[0])


def kill_at_random(nest: Nest, scene: Scene, reference: Reference, rng: random.Random) -> Tally:
    """One trial: the command is killed at a random moment, in a fifth of the trials once more, and run to its end."""
    scene.restore()
    tally = Tally()
    story = []
    for _ in range(1 if rng.random() < 0.8 else 2):
        after, whole = rng.uniform(0, reference.seconds), rng.random() < 0.5
        order = replace(order_of(scene, rng.choice(EXECUTORS)), kill_after=after, whole_session=whole)
        ended = nest.run(order)
        story.append(f"killed after {after:.4f} s ({order.environ['MVMDB_EXECUTOR']}, {'all' if whole else 'group'})")
        _note(tally, scene, ended)
    _finish(nest, scene, reference, rng.choice(EXECUTORS), ", then ".join(story))
    return tally


def kill_at_call(nest: Nest, scene: Scene, reference: Reference, number: int) -> Tally:
    """One trial: the command is killed just before its call of this number, and run to its end."""
    scene.restore()
    order = replace(order_of(scene), hook="chaos.killing:die_at", given=[str(scene.work), number])
    ended = nest.run(order)
    assert ended.code == KILLED, f"call {number}: {ended.err}"
    tally = Tally()
    _note(tally, scene, ended)
    _finish(nest, scene, reference, "serial", f"killed before call {number}")
    return tally


def list_calls(nest: Nest, scene: Scene, *, succeeded: bool = False) -> list[Call]:
    """The calls of the command, run in one process from the start state, that change files or the catalog, in order.

    With `succeeded`, only those that did so.
    """
    scene.restore()
    listed = scene.base / "calls"
    listed.unlink(missing_ok=True)
    ended = nest.run(
        replace(order_of(scene), hook="chaos.killing:note_calls", given=[str(scene.work), str(listed), succeeded])
    )
    assert ended.code in (0, 1), ended.err
    return [Call(*json.loads(line)) for line in listed.read_text().splitlines()]


def note_calls(folder: str, listed: str, succeeded: bool) -> None:
    """Hook: write each call to a file, before it is made or after it has succeeded."""
    descriptor = os.open(listed, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    real = os.write

    def note(call: Call) -> None:
        real(descriptor, (json.dumps(call) + "\n").encode())

    tap((folder,), *((_ignore, note) if succeeded else (note, _ignore)))


def _ignore(_call: Call) -> None:
    pass


def die_at(folder: str, number: int) -> None:
    """Hook: kill the process group just before its call of this number."""
    numbers: Iterator[int] = iter(range(number + 1))

    def watch(_call: Call) -> None:
        if next(numbers) == number:
            os.killpg(0, signal.SIGKILL)

    tap((folder,), watch)


def _note(tally: Tally, scene: Scene, ended: Ended) -> None:
    if ended.code != KILLED:
        tally.ended_before += 1
        return
    tally.kills += 1
    tally.hits[_what_is_left(scene)] += 1


def _what_is_left(scene: Scene) -> str:
    """What a killed run left behind, which says roughly where it was."""
    files = [path.name for path in scene.work.rglob("*") if path.is_file()]
    if any(name.endswith(".tmp") for name in files):
        return "a file half written"
    if any(name.endswith("-journal") for name in files):
        return "a transaction half done"
    if any(name.endswith(".findings") for name in files):
        return "a product in place or not, and not recorded"
    return "neither"


def _finish(nest: Nest, scene: Scene, reference: Reference, executor: str, story: str) -> None:
    ended = nest.run(order_of(scene, executor))
    nest.run(Order([END_SESSION], ""))
    was_done = ended.code == 2 and scene.done_once and scene.done_once in ended.err
    differences = [] if ended.code in (0, 1) or was_done else [f"exit code {ended.code}: {ended.err}"]
    expected, found = reference.state, read_state(scene.store.address, scene.work)
    if scene.history_differs:
        expected, found = without_history(expected), without_history(found)
    differences += find_differences(expected, found)
    if differences:
        text = "\n".join([f"{scene.name} on {scene.store.kind}, {story}, then run to its end:", *differences])
        Path(scene.base, "difference.txt").write_text(f"{text}\n\n{ended.out}\n{ended.err}\n")
        raise DifferenceError(f"{text}\nkept in {scene.base}")
