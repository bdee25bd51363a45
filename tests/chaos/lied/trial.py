"""One ingest of a folder of mutants: each must be registered rightly, or quarantined with a reason, and soon."""

from __future__ import annotations

import hashlib
import os
import random
import re
import sqlite3
import stat
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chaos.lied.judge import find_lies
from chaos.lied.mutants import PIXELS_ONLY, Mutant, make_mutant
from chaos.lied.oddities import Oddity
from chaos.lied.originals import Original, number_root
from chaos.lied.watch import MOST_MEMORY, MOST_SECONDS, read_notes
from chaos.nest import Ended, Nest, Order

_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]")
_SURPRISE = "make no sense ("
"""The words for an error that no reader foresaw."""


class LieError(AssertionError):
    """Something was believed, or did harm; the text says of which file, and how it is made again."""


@dataclass
class Figures:
    """What has been tried so far."""

    files: int = 0
    registered: int = 0
    ineligible: int = 0
    quarantined: Counter[str] = field(default_factory=Counter)
    slowest: tuple[float, str] = (0.0, "")
    memory: float = 0.0
    products: Counter[str] = field(default_factory=Counter)

    def saw(self, seconds: float, memory: float, what: str) -> None:
        """Take the time and the memory of one file into account."""
        self.slowest, self.memory = max(self.slowest, (seconds, what)), max(self.memory, memory)

    def add(self, other: Figures) -> None:
        """Take what another trial has tried into account."""
        self.files, self.registered = self.files + other.files, self.registered + other.registered
        self.ineligible += other.ineligible
        self.quarantined += other.quarantined
        self.products += other.products
        self.saw(*other.slowest[:1], other.memory, other.slowest[1])

    def __str__(self) -> str:
        seconds, what = self.slowest
        end = f"slowest {seconds:.2f} s ({what}); peak memory {self.memory:.0f} MB"
        if self.products:
            return f"{self.files} files: {', '.join(f'{n} {word}' for word, n in self.products.most_common())}; {end}"
        kinds = ", ".join(f"{count} {kind}" for kind, count in self.quarantined.most_common())
        return (
            f"{self.files} files: {self.registered} registered ({self.ineligible} ineligible), "
            f"{self.quarantined.total()} quarantined ({kinds}); {end}"
        )


@dataclass(frozen=True)
class _Planted:
    path: Path
    mutant: Mutant
    original: Original


def ingest_mutants(
    nest: Nest, folder: Path, originals: Sequence[Original], seed: str, count: int, oddities: Sequence[Oddity] = ()
) -> Figures:
    """Plant so many mutants and these oddities in a new folder, ingest it, and judge each. Raises LieError."""
    rng, inbox = random.Random(seed), folder / "inbox"
    inbox.mkdir(parents=True)
    (folder / "tmp").mkdir()
    planted = [_plant(rng, inbox, originals, number) for number in range(count)]
    odd = {oddity.plant(inbox, originals[0].renamed(number_root(originals[0].root, count + n))): oddity
           for n, oddity in enumerate(oddities)}  # fmt: skip
    before = _snapshot(inbox)
    notes = folder / "notes.txt"
    ended = nest.run(
        Order(["--db", str(folder / "mvm.db"), "ingest", str(inbox), "--executor", "serial"], str(folder),
              {"TMPDIR": str(folder / "tmp")}, hook="chaos.lied.watch:watch_reading", given=[str(notes)])
    )  # fmt: skip
    lies = [*_judge_run(folder, ended), *_differences(before, _snapshot(inbox))]
    catalog = _Catalog(folder / "mvm.db")
    figures = Figures(files=len(planted) + len(odd))
    labels = {str(one.path): one.mutant.label for one in planted}
    for note in read_notes(notes):
        figures.saw(note.seconds, note.memory, labels.get(note.path, os.path.basename(note.path)))
        if note.seconds > MOST_SECONDS or note.memory > MOST_MEMORY:
            lies.append(f"{note.path}: it took {note.seconds} s, with {note.memory} MB")
    for one in planted:
        lies += [f"{one.path} ({one.original.label}: {one.mutant.label}): {lie}" for lie in _judge(catalog, one)]
    for path, oddity in odd.items():
        lies += [f"{path!r} ({oddity.label}): {lie}" for lie in catalog.compare(path, oddity)]
    figures.registered, figures.quarantined = len(catalog.registered), catalog.kinds()
    figures.ineligible = sum(not row["eligible"] for row in catalog.registered.values())
    if lies:
        raise LieError("\n".join([f"seed {seed!r}, in {folder}:", *lies, ended.err[-3000:]]))
    return figures


def _plant(rng: random.Random, inbox: Path, originals: Sequence[Original], number: int) -> _Planted:
    original = rng.choice(originals)
    original = original.renamed(number_root(original.root, number))
    mutant = make_mutant(rng, original)
    path = inbox / original.filename
    write_mutant(path, mutant)
    return _Planted(path, mutant, original)


def write_mutant(path: Path, mutant: Mutant) -> None:
    """Write a mutant, with the hole at its end."""
    path.write_bytes(mutant.content)
    if mutant.size is not None:
        os.truncate(path, max(mutant.size, len(mutant.content)))


def _judge_run(folder: Path, ended: Ended) -> Iterator[str]:
    text = ended.out + ended.err
    if ended.code not in (0, 1):
        yield f"the exit code was {ended.code}"
    if "Traceback" in text or "Warning" in text:
        yield "it printed a traceback or a warning of Python"
    if found := _CONTROL.search(text):
        yield f"it printed the control character {found[0]!r}"
    known = {"inbox", "tmp", "notes.txt", "mvm.db"}
    if strange := sorted({path.name for path in folder.iterdir()} - known):
        yield f"it left {', '.join(strange)} behind"
    if left := os.listdir(folder / "tmp"):
        yield f"it left {', '.join(left)} in the folder for temporary files"


def _judge(catalog: _Catalog, planted: _Planted) -> Iterator[str]:
    path = str(planted.path)
    yield from catalog.judge(path)
    row = catalog.registered.get(path)
    if row is not None:
        yield from find_lies(path, row)
    if planted.mutant.label in PIXELS_ONLY and (row is None or not row["s_region"]):
        yield f"nothing is wrong with its headers, and it is {catalog.told(path)}"


class _Catalog:
    """What a catalog says of each file, by its path."""

    def __init__(self, path: Path) -> None:
        with closing(sqlite3.connect(path)) as connection:
            connection.row_factory = sqlite3.Row
            query = (
                "SELECT exposure.*, dataset.path AS place, dataset.processed "
                "FROM dataset JOIN exposure ON exposure.id = exposure_id"
            )
            rows: list[dict[str, Any]] = [dict(row) for row in connection.execute(query)]
            self.registered: Mapping[str, dict[str, Any]] = {row["place"]: row for row in rows}
            refused = connection.execute("SELECT path, kind, reason FROM quarantine")
            self.quarantined = {place: (str(kind), str(reason)) for place, kind, reason in refused}

    def judge(self, path: str) -> Iterator[str]:
        """Whether a file is told of once, and a refusal has a reason that somebody foresaw."""
        kind, reason = self.quarantined.get(path, ("", ""))
        if (path in self.registered) == bool(kind):
            yield f"it is {self.told(path)}"
        if kind and (not reason or _SURPRISE in reason):
            yield f"it is quarantined as {kind} for {reason!r}"

    def compare(self, path: str, oddity: Oddity) -> Iterator[str]:
        """Whether the catalog has made of something odd what is expected."""
        found = self.told(path)
        if found.split(":")[0] not in oddity.expected:
            yield f"it is {found}; expected {' or '.join(oddity.expected)}"

    def told(self, path: str) -> str:
        """What the catalog says of a file, in words."""
        words = ["registered"] if path in self.registered else []
        words += [": ".join(self.quarantined[path])] if path in self.quarantined else []
        return " and ".join(words) or "passed over"

    def kinds(self) -> Counter[str]:
        return Counter(kind for kind, _ in self.quarantined.values())


def _snapshot(folder: Path) -> dict[str, tuple[object, ...]]:
    """What each entry is, with its times, and the digest of what is in it unless it is a large hole."""
    seen: dict[str, tuple[object, ...]] = {}
    for directory, folders, names in os.walk(folder):
        for name in (*folders, *names):
            path = os.path.join(directory, name)
            status = os.lstat(path)
            digest = ""
            if stat.S_ISREG(status.st_mode) and status.st_size < 1 << 24:
                digest = hashlib.sha256(Path(path).read_bytes()).hexdigest()
            seen[path] = (status.st_mode, status.st_size, status.st_mtime_ns, status.st_ino, digest)
    return seen


def _differences(before: dict[str, tuple[object, ...]], after: dict[str, tuple[object, ...]]) -> Iterator[str]:
    for path in sorted(before.keys() | after.keys()):
        if before.get(path) != after.get(path):
            yield f"{path!r} has changed"
