"""The long run of `make chaos`: kills commands a thousand times, lets every write fail, and stops at the first fault.

    PYTHONPATH=tests python -m chaos.long --kills 1000 --postgres-kills 200 --seed 1

Half of the kills hit `nightly`, the others the other commands in turn; and `nightly` is killed before each of its calls
that change a file or the catalog. Each of these calls fails once, for one cause after the other. The exit code is 1
where a state differs from that of an undisturbed run, and the folder of that archive is kept.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import count
from pathlib import Path

from chaos.failing import CAUSES, DATABASE_FULL, check_mosaics, check_next, check_words, fail_once
from chaos.killing import (
    DifferenceError,
    Reference,
    Tally,
    kill_at_call,
    kill_at_random,
    list_calls,
    order_of,
    run_once,
)
from chaos.nest import Nest
from chaos.scenes import SCENES, PostgresStore, Scene, SqliteStore, Store, make_scene
from postgres import Server, run_server

MakeStore = Callable[[Path], Store]


class LongRun:
    """One long run: what draws its kills, what its commands are forked from, and what it has done so far."""

    def __init__(self, nest: Nest, base: Path, rng: random.Random, every: int) -> None:
        self.nest, self.base, self.rng, self.every = nest, base, rng, every
        self.total, self.failures = Tally(), 0

    def disturb(self, make_store: MakeStore, kills: int) -> None:
        """Kill each command, at random and before every so many-th call of a night, and let that night's calls fail."""
        others = [name for name in SCENES if name != "nightly"]
        shares = {"nightly": kills - kills // 2} | {name: -(-(kills // 2) // len(others)) for name in others}
        for name, share in shares.items():
            scene = make_scene(name, self.base / f"{name}-{make_store.__name__}", make_store)
            reference = run_once(self.nest, scene)
            self.kill(scene, reference, share)
            if name == "nightly" and self.every:
                self.fail(scene, reference)
            shutil.rmtree(scene.base)

    def kill(self, scene: Scene, reference: Reference, share: int) -> None:
        began, tally = time.monotonic(), Tally()
        while tally.kills < share:
            tally.add(kill_at_random(self.nest, scene, reference, self.rng))
        at_random = tally.kills
        if scene.name == "nightly" and self.every:
            for number in range(0, len(list_calls(self.nest, scene)), self.every):
                tally.add(kill_at_call(self.nest, scene, reference, number))
        hits = ", ".join(f"{n} {where}" for where, n in tally.hits.most_common())
        _say(scene, f"{at_random:5} kills at random, {tally.kills - at_random:4} at calls", began, hits)
        self.total.add(tally)

    def fail(self, scene: Scene, reference: Reference) -> None:
        began, words = time.monotonic(), Counter[str]()
        for number, call in list(enumerate(list_calls(self.nest, scene)))[:: self.every]:
            cause, lasting = CAUSES[number % len(CAUSES)], number // len(CAUSES) % 2 == 1
            words[fail_once(self.nest, scene, reference, number, call, cause, lasting=lasting)] += 1
        if scene.store.kind == "sqlite":
            words["database full"] += self.fill_database(scene, reference)
        self.failures += words.total()
        _say(scene, f"{words.total():5} writes failed", began, ", ".join(f"{n} {word}" for word, n in words.items()))

    def fill_database(self, scene: Scene, reference: Reference) -> int:
        """Let the catalog grow by no page, by one, by two and so on, until that is enough; returns how often not."""
        for extra in count():
            scene.restore()
            ended = self.nest.run(replace(order_of(scene), hook="chaos.limits:limit_pages", given=[extra]))
            if ended.code in (0, 1):
                return extra
            story = f"a catalog that may grow by {extra} pages"
            check_words(ended, DATABASE_FULL, "mvm.db", story)
            check_mosaics(scene, reference, story)
            check_next(self.nest, scene, reference, story)
        raise AssertionError


def _say(scene: Scene, done: str, began: float, more: str) -> None:
    seconds = time.monotonic() - began
    print(f"{scene.store.kind:10} {scene.name:12} {done}, 0 faults, {seconds:5.0f} s; {more}", flush=True)


@contextmanager
def open_folder() -> Iterator[Path]:
    """A folder in memory where there is room; it is removed at the end unless something differed."""
    memory = Path("/dev/shm")
    roomy = memory.is_dir() and shutil.disk_usage(memory).free > 2**29
    folder = Path(tempfile.mkdtemp(prefix="mvmdb-chaos-", dir=memory if roomy else None))
    yield folder
    shutil.rmtree(folder)


def stores_of(server: Server) -> MakeStore:
    numbers = count()

    def postgresql(_work: Path) -> Store:
        return PostgresStore(server, f"chaos{next(numbers)}")

    return postgresql


def sqlite(work: Path) -> Store:
    return SqliteStore(work)


def main() -> int:
    """Disturb commands on both databases, print the figures, and return 1 where a state differs."""
    parser = argparse.ArgumentParser(description="disturbs commands, and compares what the next run leaves")
    parser.add_argument("--kills", type=int, default=1000, help="at random, on SQLite; 0: leave it out")
    parser.add_argument("--postgres-kills", type=int, default=200, help="at random, on PostgreSQL; 0: leave it out")
    parser.add_argument("--calls", type=int, default=1, help="kill and fail at every so many-th call; 0: at none")
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    began = time.monotonic()
    print(f"seed {chosen.seed}", flush=True)
    try:
        with open_folder() as folder, Nest() as nest:
            run = LongRun(nest, folder, random.Random(chosen.seed), chosen.calls)
            if chosen.kills:
                run.disturb(sqlite, chosen.kills)
            if chosen.postgres_kills:
                with run_server() as server:
                    run.disturb(stores_of(server), chosen.postgres_kills)
    except DifferenceError as difference:
        print(difference, file=sys.stderr)
        return 1
    seconds = time.monotonic() - began
    print(f"{run.total.kills} kills, {run.failures} writes failed, 0 faults, {seconds:.0f} s", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
