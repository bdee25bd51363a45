"""Measures how accurate mosaics are, before and after, with drizzlepac beside; writes docs/accuracy.md and its figures.

    python -m conformance.accuracy.run [--peer .venv-conformance/bin/python] [--print] [PART...]

Run from the repository, by `make accuracy` or `make accuracy PARTS="flux cells"`. Each part writes its own tables
between the marks of the page, and its own figures. With --print nothing is written, and drizzlepac may be left out.
"""

from __future__ import annotations

import argparse
import logging
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path

from generated import Block, write_page

from conformance.accuracy import cells, errors, flux, growth, place, shallow, skies
from conformance.accuracy.ways import Setting
from conformance.places import REPOSITORY, shared_folder

PAGE, MAKER = Path("docs/accuracy.md"), "make accuracy"
PARTS: dict[str, Callable[[Setting], Iterator[Block]]] = {
    "flux": flux.measure, "skies": skies.measure, "cells": cells.measure, "growth": growth.measure,
    "shallow": shallow.measure, "place": place.measure, "errors": errors.measure,
}  # fmt: skip
NEED_SHARED = ("skies", "place", "errors")
NEED_PEER = ("flux", "skies", "cells", "shallow", "errors")
VERSIONS = "from importlib.metadata import version as v; print('drizzlepac', v('drizzlepac'))"


def main() -> None:
    """Measure the parts that are named, or all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"any of {', '.join(PARTS)} (default: all)")
    parser.add_argument("--peer", type=Path, default=Path(".venv-conformance/bin/python"), help="drizzlepac's Python")
    parser.add_argument("--print", action="store_true", help="print the tables, and write nothing")
    chosen = parser.parse_args()
    parts = chosen.parts or list(PARTS)
    if unknown := sorted(set(parts) - set(PARTS)):
        parser.error(f"found {', '.join(unknown)}; expected parts of {', '.join(PARTS)}")
    peer = find_peer(chosen.peer, parts, only_print=chosen.print)
    shared = find_shared(parts)
    logging.getLogger("mvmdb").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory(prefix="mvmdb-accuracy-") as scratch:
        figures = Path(scratch) / "figures" if chosen.print else REPOSITORY / "docs/figures"
        figures.mkdir(exist_ok=True)
        for part in parts:
            started = time.monotonic()
            folder = Path(scratch) / part
            folder.mkdir()
            blocks = list(PARTS[part](Setting(folder, figures, peer, shared)))
            for name, text in blocks:
                print(f"{name}\n\n{text}\n", flush=True)
            print(f"{part}: {time.monotonic() - started:.0f} s\n", flush=True)
            if not chosen.print:
                write_page(REPOSITORY / PAGE, [*blocks, (f"{part}-versions", describe_versions(part, peer))], MAKER)


def find_peer(path: Path, parts: list[str], *, only_print: bool) -> Path | None:
    """drizzlepac's interpreter; None, which is told, where it is missing and nothing is written."""
    if path.exists():
        return path.absolute()  # not resolved: the interpreter of a virtual environment is a symbolic link
    if not set(parts) & set(NEED_PEER):
        return None
    found = f"there is no {path}; expected drizzlepac's environment: run make .venv-conformance/.ready"
    if not only_print:
        raise SystemExit(f"{found}, or add --print to see the figures without drizzlepac")
    print(f"{found}; its columns say that it was not run\n", file=sys.stderr)
    return None


def find_shared(parts: list[str]) -> Path:
    """The shared data, which some parts read."""
    shared = shared_folder()
    if not shared.is_dir() and (needing := [part for part in parts if part in NEED_SHARED]):
        raise SystemExit(
            f"there is no folder {shared}, which {', '.join(needing)} read; put the shared data there, name it in "
            "MVMDB_SHARED, or name other parts"
        )
    return shared


def describe_versions(part: str, peer: Path | None) -> str:
    """A line about what made the figures of a part."""
    names = [f"{name} {version(name)}" for name in ("mvmdb", "drizzle", "numpy")]
    if part in NEED_PEER and peer is not None:
        names.append(subprocess.run([str(peer), "-c", VERSIONS], check=True, capture_output=True, text=True).stdout)
    return f"`make accuracy PARTS={part}`, with {', '.join(name.strip() for name in names)}."


if __name__ == "__main__":
    main()
