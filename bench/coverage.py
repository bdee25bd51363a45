"""How long questions of coverage take in a catalog of many exposures, and how much memory.

    python bench/coverage.py [--exposures 1000000] [--db FILE]

A new catalog of synthetic exposures is imported (see synthetic.py), or the one given is asked. Positions are asked in
one open process: 200 of them at random among exposures, and the deepest field; each on a connection of its own, as a
method of the archive is. Other questions are whole processes.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter, process_time

import numpy as np
import sqlalchemy as sa
from synthetic import import_catalog

import mvmdb
from mvmdb.catalog.ask.point import find_at
from mvmdb.catalog.ask.search.question import Question
from mvmdb.catalog.open import open_catalog
from mvmdb.schema import tables as t

QUESTIONS = (
    "coverage --by filter --at {ra} {dec} --radius 0.1 --deeper-than 1000",
    "coverage --by program --at {ra} {dec} --radius 1",
    "coverage --together --filter f814w --filter f606w --deeper-than 1000",
    "coverage --adds 11359",
    "coverage --by region --region 'CIRCLE {ra} {dec} 2'",
    "coverage --by filter",
    "coverage --by camera,year --deeper-than 1000",
    "coverage map --program 11359 --nside 8192 --multiorder -o {folder}/map.fits",
    "coverage map {layer} -o {folder}",
)


def main() -> None:
    """Print the times of positions, and the seconds and the memory of each question."""
    parser = argparse.ArgumentParser(description="times questions of coverage")
    parser.add_argument("--exposures", type=int, default=1_000_000)
    parser.add_argument("--db", type=Path)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        address = chosen.db or Path(folder) / "mvm.db"
        if chosen.db is None:
            import_catalog(address, chosen.exposures, Path(folder))
        ra, dec, layer = ask_positions(str(address))
        for words in QUESTIONS:
            text = words.format(ra=ra, dec=dec, layer=layer, folder=folder)
            arguments = [part.strip("'") for part in split(text)]
            seconds, peak = run(["--db", str(address), *arguments])
            print(f"{seconds:7.2f} s  {peak:6.0f} MB  {text}", flush=True)


def split(text: str) -> list[str]:
    """Words, of which those between quotes are one."""
    parts = text.split("'")
    return [word for n, part in enumerate(parts) for word in ([part] if n % 2 else part.split())]


def run(arguments: list[str]) -> tuple[float, float]:
    """Seconds and peak memory (MB) of one command."""
    started = perf_counter()
    process = subprocess.Popen([sys.executable, "-m", "mvmdb", *arguments], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"mvmdb {' '.join(arguments)}: {os.waitstatus_to_exitcode(status)}")
    return perf_counter() - started, usage.ru_maxrss / 1000


def ask_positions(address: str) -> tuple[float, float, str]:
    """Print the milliseconds of questions at a position; returns that of the deepest layer, and this layer."""
    e, y, m = t.exposure.c, t.layer.c, t.layer_member.c
    with open_catalog(address, read_only=True) as engine, engine.connect() as connection:
        last = connection.scalar(sa.select(sa.func.max(e.id))) or 1
        ids = np.random.default_rng(1).integers(1, last, 200).tolist()
        places = connection.execute(sa.select(e.ra, e.dec).where(e.id.in_(ids), e.ra.is_not(None))).all()
        layer = connection.execute(sa.select(y.id, y.name).order_by(y.n_exposures.desc()).limit(1)).one()
        around = sa.select(e.ra, e.dec).where(e.id.in_(sa.select(m.exposure_id).where(m.layer_id == layer.id)))
        candidates = connection.execute(around.limit(200)).all()
        deepest = max(candidates, key=lambda place: ask(connection, place)[0])
        for name, positions in (("200 positions", places), ("the deepest field", [deepest] * 20)):
            answers = [ask(connection, place) for place in positions]
            times, busy = (sorted(1000 * answer[n] for answer in answers) for n in (2, 3))
            most, layers = (max(column) for column in list(zip(*answers, strict=True))[:2])
            print(
                f"{name}: median {times[len(times) // 2]:.1f} ms, longest {times[-1]:.1f} ms, of this process "
                f"{busy[len(busy) // 2]:.1f} and {busy[-1]:.1f} ms; up to {most} exposures and {layers} layers"
            )
    archive = mvmdb.open(address)
    started, busy_before = perf_counter(), process_time()
    for place in places[:50]:
        archive.coverage_at((place.ra, place.dec))
    each, own = (1000 * seconds / 50 for seconds in (perf_counter() - started, process_time() - busy_before))
    print(f"coverage_at, which opens the catalog each time: {each:.1f} ms, {own:.1f} of this process", flush=True)
    return float(deepest.ra), float(deepest.dec), str(layer.name)


def ask(connection: sa.Connection, place: sa.Row[tuple[float, float]]) -> tuple[int, int, float, float]:
    """How many exposures and layers are at a position, the seconds that the question took, and of processor time."""
    started, busy_before = perf_counter(), process_time()
    found = find_at(connection, place.ra, place.dec, Question("exposures"))
    return len(found.exposures), len(found.layers), perf_counter() - started, process_time() - busy_before


if __name__ == "__main__":
    main()
