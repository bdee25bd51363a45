"""Several runs at once on one archive, from several hosts: each layer is made once, whatever starts when.

    PYTHONPATH=tests python -m chaos.racing --rounds 20 --seed 1

A host is a process with another host name (`unshare --uts`, which root may do); without that right all runs are of this
host. A round is an archive of ten layers and four processes that begin within two seconds: nights, an ingest, a
reconcile, and commands that only look. In some rounds an exposure comes while they work, and in some one of the runs is
killed. Afterwards each layer was made once for each set of members, and nothing is stale or left over.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep

from archive import CELL, Archive, names_to_list
from databases import Databases, PostgresDatabases, SqliteDatabases
from postgres import run_server

from mvmdb.catalog.open import open_catalog

FILTERS = ("F105W", "F110W", "F125W", "F140W", "F160W")
PROCESSES = 4
KINDS = ("plain", "grows", "killed")
_MADE = """
SELECT layer, count(*) FROM event WHERE kind IN ('layer-drizzled', 'layer-added', 'layer-recanvased',
 'layer-shifted')
GROUP BY layer ORDER BY layer
"""
_LOOKS = (("status",), ("query", "SELECT count(*) FROM stale_layer"))


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    words: tuple[str, ...]
    code: int
    output: str
    errors: str


def hosts() -> tuple[str, ...]:
    """Names of hosts that runs can be on; empty for this one."""
    try:
        subprocess.run(["unshare", "--uts", "hostname", "node1"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        return ("",)
    return "", "node1", "node2", "node3"


def expose_filters(archive: Archive) -> None:
    """Two exposures in each filter: ten layers."""
    for number, name in enumerate(FILTERS):
        archive.expose(f"ib6o04t{number}q", filters=name)
        archive.expose(f"ib6o05t{number}q", filters=name, east=2)


def start(archive: Archive, *words: str, host: str = "") -> subprocess.Popen[str]:
    """Begin a command, on a host."""
    command = [sys.executable, "-m", "mvmdb.cli", "--db", archive.address, *words]
    if host:
        command = ["unshare", "--uts", "sh", "-c", f'hostname {host}; exec "$@"', "sh", *command]
    return subprocess.Popen(
        command, cwd=archive.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )


def end(process: subprocess.Popen[str], words: Sequence[str] = ()) -> Ended:
    """Wait for the end of a command."""
    output, errors = process.communicate(timeout=600)
    return Ended(tuple(words), process.returncode, output, errors)


def check_settled(archive: Archive, layers: int, times: int = 1) -> None:
    """Each layer was made so many times, is recorded and fresh, and nothing is left of the runs."""
    made = dict(archive.rows(_MADE))
    assert len(made) == layers, made
    assert set(made.values()) == {times}, made
    assert archive.reasons() == {}
    assert archive.rows("SELECT owner FROM coordinator") == archive.rows("SELECT layer FROM claim") == []
    folder = archive.products / CELL
    listed = (folder / f"{CELL}_manifest.txt").read_text().split()
    assert listed == names_to_list(archive.product_files())
    assert len(listed) == 2 * layers
    poller = folder / f"{CELL}_input.out"
    if poller.exists():  # nights write the pollers of cells that they worked in, and `reconcile` may have come first
        assert ",OLD," in poller.read_text()
        assert ",NEW," not in poller.read_text()
    assert [path for path in archive.products.rglob(".*") if path.name != ".mvmdb.lock"] == []


def race(archive: Archive, chance: random.Random, names: Sequence[str]) -> list[Ended]:
    """Four processes and two that look, which begin within two seconds; all must end well."""
    night = ("nightly", "inbox", "-o", "products", "--jobs", "1", "--wait", "300")
    reconcile = ("reconcile", "-o", "products", "--jobs", "1", "--wait", "300")
    words = [night, night, chance.choice([night, reconcile]), chance.choice([night, ("ingest", "inbox")])]
    archive.ingest()  # so that `reconcile` has a catalog
    begun = []
    for one in chance.sample([*words, *_LOOKS], len(words) + len(_LOOKS)):
        begun.append((one, start(archive, *one, host=chance.choice(list(names)))))
        sleep(chance.uniform(0, 0.4))
    return [end(process, one) for one, process in begun]


def _check_ends(ended: Sequence[Ended]) -> None:
    for one in ended:
        assert one.code == 0 or (one.words == ("status",) and one.code == 1), one
        assert one.errors == "", one


def run_round(archive: Archive, seed: int, names: Sequence[str]) -> str:
    """One round; returns what kind it was. Raises AssertionError if anything is not as it must be."""
    chance = random.Random(seed)
    expose_filters(archive)
    kind = KINDS[seed % len(KINDS)]
    if kind == "killed":
        archive.ingest()
        host = chance.choice(list(names))
        victim = start(archive, "nightly", "inbox", "-o", "products", "--jobs", "2", host=host)
        sleep(chance.uniform(1.0, 4.0))
        subprocess.run(["pkill", "-KILL", "-s", str(victim.pid)], check=False)
        victim.wait()
        if host:
            _let_lease_end(archive)
    _check_ends(race(archive, chance, names))
    if kind != "killed":  # a layer that was put in place and not recorded before the kill is recorded or made again
        check_settled(archive, 2 * len(FILTERS))
    else:
        assert archive.reasons() == {}
        assert archive.rows("SELECT layer FROM claim") == []
    if kind == "grows":
        _grow(archive, chance, names)
    return kind


def _grow(archive: Archive, chance: random.Random, names: Sequence[str]) -> None:
    """An exposure in each filter comes while runs work; whoever comes last makes what it makes stale."""
    first = start(archive, "reconcile", "--full", "--jobs", "1", host=chance.choice(list(names)))
    sleep(chance.uniform(1.0, 2.5))
    for number, name in enumerate(FILTERS):
        archive.expose(f"ib6o06t{number}q", filters=name, east=1)
    second = start(archive, "nightly", "inbox", "--jobs", "1", "--wait", "300", host=chance.choice(list(names)))
    _check_ends([end(first, ("reconcile",)), end(second, ("nightly",))])
    _check_ends([end(start(archive, "nightly", "inbox", "--wait", "300"), ("nightly",))])
    assert archive.reasons() == {}
    members = archive.rows("SELECT n_members, count(*) FROM product GROUP BY n_members")
    assert members == [(3, 2 * len(FILTERS))], members


def _let_lease_end(archive: Archive) -> None:
    """What minutes do to the lease and the folder of a run that was killed on another host."""
    for sign in archive.products.glob(".mvmdb.lock.node*"):
        os.utime(sign, (1e9, 1e9))
    with open_catalog(archive.address) as engine, engine.begin() as connection:
        connection.exec_driver_sql("UPDATE coordinator SET expires_at = '2020-01-01 00:00:00.000000'")


@contextmanager
def _fresh_archive(databases: Databases, base: Path) -> Iterator[Archive]:
    folder = Path(tempfile.mkdtemp(dir=base))
    (folder / "inbox").mkdir()
    on_sqlite = databases.kind == "sqlite"  # there, who comes first makes the catalog
    archive = Archive(folder, databases.empty() if on_sqlite else databases.catalog())
    yield archive
    databases.drop()
    shutil.rmtree(folder)  # kept after a failure


def main() -> None:
    """Race for so many rounds on each database, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    names, base = hosts(), Path(tempfile.mkdtemp(prefix="mvmdb-race-"))
    print(f"{PROCESSES} processes on {len(names)} hosts; folders of failed rounds stay in {base}")
    with run_server() as server:
        for kind in ("sqlite", "postgresql"):
            started, kinds = monotonic(), dict.fromkeys(KINDS, 0)
            for seed in range(chosen.seed, chosen.seed + chosen.rounds):
                databases: Databases = (
                    PostgresDatabases(server)
                    if kind == "postgresql"
                    else SqliteDatabases(Path(tempfile.mkdtemp(dir=base)))
                )
                with _fresh_archive(databases, base) as archive:
                    try:
                        kinds[run_round(archive, seed, names)] += 1
                    except BaseException:
                        print(f"{kind}, seed {seed}: failed", flush=True)
                        raise
            counts = ", ".join(f"{number} {name}" for name, number in kinds.items())
            print(
                f"{kind}: {chosen.rounds} rounds ({counts}), no layer made twice or lost, {monotonic() - started:.0f} s"
            )


if __name__ == "__main__":
    main()
