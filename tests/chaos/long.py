"""The long run of `make chaos`: kills commands a thousand times, and stops at the first difference.

    PYTHONPATH=tests python -m chaos.long --kills 1000 --postgres-kills 200 --seed 1

Half of the kills hit `nightly`, the others the other commands in turn; and `nightly` is killed before each of its calls
that change a file or the catalog. The exit code is 1 where a state differs, and the folder of that archive is kept.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from chaos.killing import DifferenceError, Tally, kill_at_call, kill_at_random, list_calls, run_once
from chaos.nest import Nest
from chaos.scenes import SCENES, PostgresStore, SqliteStore, Store, make_scene
from postgres import NoServerError, Server, run_server

MakeStore = Callable[[Path], Store]


def kill_all(nest: Nest, base: Path, make_store: MakeStore, n: int, rng: random.Random, every: int) -> Tally:
    """At least `n` kills at random, and one before every so many-th call of a night (0: none); prints what was done."""
    total = Tally()
    others = [name for name in SCENES if name != "nightly"]
    shares = {"nightly": n - n // 2} | {name: -(-(n // 2) // len(others)) for name in others}
    for name, share in shares.items():
        began = time.monotonic()
        scene = make_scene(name, base / name, make_store)
        reference = run_once(nest, scene)
        tally = Tally()
        while tally.kills < share:
            tally.add(kill_at_random(nest, scene, reference, rng))
        at_random = tally.kills
        if name == "nightly" and every:
            for number in range(0, len(list_calls(nest, scene)), every):
                tally.add(kill_at_call(nest, scene, reference, number))
        hits = ", ".join(f"{n} {where}" for where, n in tally.hits.most_common())
        print(
            f"{scene.store.kind:10} {name:12} {at_random:5} kills at random, {tally.kills - at_random:4} at calls, 0 "
            f"differences, {time.monotonic() - began:5.0f} s; left behind: {hits}", flush=True,
        )  # fmt: skip
        total.add(tally)
        shutil.rmtree(scene.base)
    return total


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
    return lambda _work: PostgresStore(server, f"chaos{next(numbers)}")


def main() -> int:
    """Kill on both databases, print the figures, and return 1 where a state differs."""
    parser = argparse.ArgumentParser(description="kills commands, and compares what the next run leaves")
    parser.add_argument("--kills", type=int, default=1000, help="on SQLite")
    parser.add_argument("--postgres-kills", type=int, default=200, help="on PostgreSQL")
    parser.add_argument("--calls", type=int, default=1, help="kill a night before every so many-th call; 0: none")
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    rng, began = random.Random(chosen.seed), time.monotonic()
    print(f"seed {chosen.seed}", flush=True)
    try:
        with open_folder() as folder, Nest() as nest:
            total = kill_all(nest, folder / "sqlite", SqliteStore, chosen.kills, rng, chosen.calls)
            with run_server() as server:
                make_store = stores_of(server)
                total.add(kill_all(nest, folder / "postgresql", make_store, chosen.postgres_kills, rng, chosen.calls))
    except DifferenceError as difference:
        print(difference, file=sys.stderr)
        return 1
    except NoServerError as error:
        print(f"no PostgreSQL: {error}", file=sys.stderr)
        return 1
    print(f"{total.kills} kills, 0 differences, {time.monotonic() - began:.0f} s", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
