"""Mutated products: a changed bit of mvmdb's own is always found, and other files end in a reason, soon.

Each mutant is read by every reader of products, in one process with limits, and a share of them takes the place of a
recorded product, of which `verify --deep`, `reconcile --dry-run` and `adopt` must tell.
"""

from __future__ import annotations

import json
import os
import random
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from archive import CENTER, Archive, call
from chaos.lied.mutants import Mutant, make_mutant
from chaos.lied.originals import Original, read_original
from chaos.lied.trial import Figures, LieError, write_mutant
from chaos.lied.watch import MOST_MEMORY, MOST_SECONDS, read_notes
from chaos.nest import Nest, Order
from drizzlepacproducts import unpack_true_product

OWN, FOREIGN = "own", "drizzlepac's"
SMALL: dict[str, Any] = {"shape": (16, 16)}


@dataclass(frozen=True)
class Stock:
    """An archive with products, which stays as it is, and its products and drizzlepac's as originals."""

    folder: Path
    originals: tuple[Original, ...]


def make_stock(folder: Path) -> Stock:
    """Have a night make products with and without errors, in a new folder."""
    found = []
    for name, words in (("plain", []), ("with errors", ["--errors"])):
        archive = Archive(folder / name, str(folder / name / "mvm.db"))
        archive.expose(**SMALL)
        archive.expose("ib6o04twq", east=1.0, **SMALL)
        archive.expose("j8oz04kpq", detector="WFC", ra=CENTER[0], dec=CENTER[1], **SMALL)
        assert call(archive, "init", "--products", str(archive.products), *words).exit_code == 0
        assert archive.night().reconcile.failed == 0
        shutil.copytree(archive.folder, folder / f"{name} kept")
        found += [(OWN, path) for path in sorted(archive.products.glob("*/*_dr[cz].fits"))]
    found.append((FOREIGN, unpack_true_product(folder / "drizzlepac")))
    originals = [read_original(label, "", path.name, path.read_bytes()) for label, path in found]
    return Stock(folder, tuple(originals))


def read_mutants(nest: Nest, folder: Path, stock: Stock, seed: str, count: int) -> Figures:
    """Let all readers of products read so many mutants. Raises LieError."""
    rng, folder = random.Random(seed), folder.absolute()
    folder.mkdir(parents=True)
    planted: dict[str, tuple[Original, Mutant]] = {}
    for number in range(count):
        original = rng.choice(stock.originals)
        mutant = make_mutant(rng, original)
        path = folder / f"{number}" / original.filename
        path.parent.mkdir()
        write_mutant(path, mutant)
        planted[str(path)] = original, mutant
    notes, verdicts = folder / "notes.txt", folder / "verdicts.json"
    order = Order(["--help"], str(folder), hook="chaos.lied.products:read_all",
                  given=[list(planted), str(notes), str(verdicts)])  # fmt: skip
    ended = nest.run(order)
    if not verdicts.exists():
        last = read_notes(notes)[-1:]
        raise LieError(f"seed {seed!r}, in {folder}: the readers ended at {last}: {ended.err[-3000:]}")
    figures, lies = Figures(files=count), []
    for note in read_notes(notes):
        figures.saw(note.seconds, note.memory, f"a product, {planted[note.path][1].label}")
        if note.seconds > MOST_SECONDS or note.memory > MOST_MEMORY:
            lies.append(f"{note.path}: it took {note.seconds} s, with {note.memory} MB")
    for path, told in json.loads(verdicts.read_text()).items():
        original, mutant = planted[path]
        figures.products[_sum_up(told)] += 1
        lies += [f"{path} ({original.label}: {mutant.label}): {lie}" for lie in _judge(original, mutant, told)]
    if lies:
        raise LieError("\n".join([f"seed {seed!r}, in {folder}:", *lies]))
    return figures


def _judge(original: Original, mutant: Mutant, told: dict[str, str]) -> Iterator[str]:
    for reader, words in told.items():
        if words.startswith("surprise") or not words:
            yield f"{reader} ends in: {words}"
    same = mutant.content == original.content and (mutant.size or 0) <= len(original.content)
    if original.label == OWN and same != (told["deep"] == "taken"):
        yield f"it is {'whole' if same else 'changed'}, and a deep read says: {told['deep']}"
    if original.label == FOREIGN and same and told["foreign"] != "taken":
        yield f"it is whole, and is refused: {told['foreign']}"
    if told["nothing"] == "taken" and mutant.content.strip(b"\0"):
        yield "it holds something, and is taken for nothing"
    if told["nothing"] != "taken" and not mutant.content.strip(b"\0"):
        yield "it holds nothing, and is taken for something"


def _sum_up(told: dict[str, str]) -> str:
    if told["deep"] == "taken":
        return "whole"
    return "taken for drizzlepac's" if told["foreign"] == "taken" else "refused"


def read_all(paths: Sequence[str], notes: str, verdicts: str) -> None:
    """Hook: read each file with each reader, and write what they say."""
    from chaos.lied import products
    from chaos.lied.watch import limit_memory, watch

    limit_memory()
    watch(products, "read_each_way", Path(notes))
    told = {path: products.read_each_way(path) for path in paths}
    Path(verdicts).write_text(json.dumps(told))


def read_each_way(path: str) -> dict[str, str]:
    """What each reader of products says of a file: `taken`, the reason why not, or an error that nobody foresaw."""
    from mvmdb.mosaic.product.foreign import is_own, read_foreign
    from mvmdb.mosaic.product.read import holds_nothing, read_product

    readers: dict[str, Callable[[], object]] = {
        "headers": lambda: read_product(path),
        "deep": lambda: read_product(path, deep=True),
        "own": lambda: is_own(Path(path)),
        "foreign": lambda: read_foreign(Path(path)),
        "nothing": lambda: holds_nothing(path),
    }
    return {name: _verdict(read) for name, read in readers.items()}


def _verdict(read: Callable[[], object]) -> str:
    from mvmdb.errors import ProductError

    try:
        return "taken" if read() else "refused"
    except ProductError as error:
        return str(error)
    except Exception as error:
        return f"surprise: {type(error).__name__}: {error}"


def replace_products(nest: Nest, stock: Stock, seed: str, rounds: int) -> Figures:
    """Put mutants in the place of all products of an archive, so many times, and run commands. Raises LieError."""
    figures, rng = Figures(), random.Random(seed)
    for number in range(rounds):
        name = rng.choice(("plain", "with errors"))
        place = stock.folder / name
        lies = list(_replace_once(nest, place, rng, figures))
        if lies:
            raise LieError("\n".join([f"seed {seed!r}, round {number}, in {place}:", *lies]))
        shutil.rmtree(place)
        shutil.copytree(stock.folder / f"{name} kept", place)
    return figures


def _replace_once(nest: Nest, place: Path, rng: random.Random, figures: Figures) -> Iterator[str]:
    products, changed = place / "products", {}
    for path in sorted(products.glob("*/*_dr[cz].fits")):
        original = read_original(OWN, "", path.name, path.read_bytes())
        mutant = make_mutant(rng, original)
        status = path.stat()
        write_mutant(path, mutant)
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
        if mutant.content != original.content or (mutant.size or 0) > len(original.content):
            changed[path.name] = mutant.label
        figures.files += 1
    told: dict[str, str] = {}
    for words in (["verify", "--deep", "--json"], ["reconcile", "--dry-run"], ["adopt", str(products)]):
        full = ["--db", str(place / "mvm.db"), *words]
        ended = nest.run(Order(full, str(place), {"TMPDIR": str(place)}, hook="chaos.lied.watch:limit_memory"))
        told[words[0]] = ended.out + ended.err
        if ended.code not in (0, 1) or "Traceback" in ended.err or ended.seconds > len(changed) * MOST_SECONDS:
            yield f"{words[0]} ended with {ended.code} after {ended.seconds:.1f} s: {ended.err[-2000:]}"
    for name, label in changed.items():
        if name not in told["verify"]:
            yield f"verify does not tell of {name} ({label}): {told['verify'][-1500:]}"
        if re.search(rf"adopted.*{re.escape(name)}", told["adopt"]):
            yield f"adopt takes {name} ({label}): {told['adopt']}"
    figures.products["found by verify --deep"] += len(changed)
