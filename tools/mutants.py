"""Which mutants of the code no test kills: `make mutants`, or `python tools/mutants.py [--jobs N] [NAME...]`.

A mutant is one change of text in one file, as `mutants.toml` lists them, with the tests that are to fail on it. Each is
tried in a copy of the repository. The exit code is 1 where one survives, or where its old text is no longer in its file
exactly once: then the list has to follow the code.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

REPOSITORY = Path(__file__).resolve().parent.parent
COPIED = ("mvmdb", "tests", "pyproject.toml")
SECONDS = 900
"""A mutant whose tests take longer hangs, and is killed by that."""
PASSED, FAILED = 0, 1  # of pytest; all else says that the tests did not run


@dataclass(frozen=True, slots=True)
class Mutant:
    """`old` becomes `new` in `file`; `tests` are what pytest is given."""

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a mutant: `killed`, `survived`, or why it could not be tried."""

    mutant: Mutant
    word: str

    @property
    def is_well(self) -> bool:
        """Whether the mutant was killed."""
        return self.word == "killed"


def load_mutants(path: Path) -> list[Mutant]:
    """The mutants of a list. Raises ValueError where two have one name."""
    tables = tomllib.loads(path.read_text())["mutant"]
    mutants = [Mutant(tests=tuple(table.pop("tests")), **table) for table in tables]
    names = [mutant.name for mutant in mutants]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"{path} has several mutants named {', '.join(twice)}; expected one of each name")
    return mutants


def main(arguments: Sequence[str] | None = None) -> int:
    """Try the mutants, print a line for each, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="mutants to try, or words in their names; all where none is given")
    parser.add_argument("--jobs", type=int, default=1, help="how many to try at a time")
    options = parser.parse_args(arguments)
    mutants = [
        mutant
        for mutant in load_mutants(Path(__file__).with_suffix(".toml"))
        if not options.names or any(name in mutant.name for name in options.names)
    ]
    if not mutants:
        parser.error(f"no mutant is named {' or '.join(options.names)}")
    with tempfile.TemporaryDirectory() as folder:
        failing = [verdict for verdict in try_mutants(mutants, Path(folder), options.jobs) if not verdict.is_well]
    print(f"{len(mutants)} mutants: {len(mutants) - len(failing)} killed, {len(failing)} not")
    return 1 if failing else 0


def try_mutants(mutants: Sequence[Mutant], folder: Path, jobs: int) -> Iterator[Verdict]:
    """The verdicts in order, each printed as it is known. Tests that fail without any mutant make no verdict."""
    copies: SimpleQueue[Path] = SimpleQueue()
    for number in range(jobs):
        copies.put(_copy_repository(folder / str(number) / REPOSITORY.name))
    selections = sorted({mutant.tests for mutant in mutants})
    with ThreadPoolExecutor(jobs) as pool:
        healthy = dict(zip(selections, pool.map(lambda tests: _run_tests(copies, tests), selections), strict=True))
        for verdict in pool.map(lambda mutant: _try_mutant(copies, mutant, healthy[mutant.tests]), mutants):
            print(f"{verdict.word:<10} {verdict.mutant.name}", flush=True)
            yield verdict


def _try_mutant(copies: SimpleQueue[Path], mutant: Mutant, without: int) -> Verdict:
    if without != PASSED:
        return Verdict(mutant, f"its tests do not pass without it: {' '.join(mutant.tests)}")
    text = (REPOSITORY / mutant.file).read_text()
    if text.count(mutant.old) != 1:
        return Verdict(mutant, f"its text is in {mutant.file} {text.count(mutant.old)} times; expected once")
    code = _run_tests(copies, mutant.tests, (mutant.file, text.replace(mutant.old, mutant.new)))
    return Verdict(mutant, {PASSED: "survived", FAILED: "killed"}.get(code, f"pytest ended with {code}"))


def _run_tests(copies: SimpleQueue[Path], tests: Sequence[str], change: tuple[str, str] | None = None) -> int:
    """Run tests in a copy, with one file of it changed, and return pytest's exit code."""
    copy = copies.get()
    try:
        if change is not None:
            (copy / change[0]).write_text(change[1])
        return _run_pytest(copy, tests)
    finally:
        if change is not None:
            shutil.copy(REPOSITORY / change[0], copy / change[0])
        copies.put(copy)


def _run_pytest(copy: Path, tests: Sequence[str]) -> int:
    # SQLite alone: starting PostgreSQL would take longer than most of these tests. Byte code is not kept, since a
    # mutant of the same size and second as the original would be taken for it.
    command = [sys.executable, "-m", "pytest", "-n", "0", "-x", "-q", "-p", "no:cacheprovider", "-k", "not postgresql"]
    shared = os.environ.get("MVMDB_SHARED", str(REPOSITORY.parent / "shared"))
    environment = os.environ | {"PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1", "MVMDB_SHARED": shared}
    try:
        done = subprocess.run(
            [*command, *tests], cwd=copy, env=environment, timeout=SECONDS, capture_output=True, check=False
        )
    except subprocess.TimeoutExpired:
        return FAILED
    return done.returncode


def _copy_repository(copy: Path) -> Path:
    for name in COPIED:
        source, target = REPOSITORY / name, copy / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target)
    return copy


if __name__ == "__main__":
    sys.exit(main())
