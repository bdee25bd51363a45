"""What the history costs a first import: processor time and size of the catalog, with events and without.

    python bench/history.py [--exposures 100000] [--repeat 3]

Each import runs in a process of its own; the processor time is that of the process which writes the catalog.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from time import process_time
from typing import Any

from synthetic import write_table

from mvmdb.catalog.exposures import bulk_load
from mvmdb.catalog.open import open_catalog
from mvmdb.tables.background import read_batches_in_background


def ignore(*_: Any) -> None:
    """Take part in nothing."""


def import_table(table: Path, with_events: bool) -> None:
    """Import the table into a new catalog beside it, and print seconds and MB."""
    if not with_events:
        bulk_load.write_events = ignore
    address = table.with_suffix(f".{with_events}.db")
    address.unlink(missing_ok=True)
    started = process_time()
    with open_catalog(str(address), create=True) as engine:
        bulk_load.register_batches(engine, read_batches_in_background(table, siaf=None, report=ignore, progress=ignore))
    print(process_time() - started, address.stat().st_size / 1e6)


def main() -> None:
    """Import in turn with and without events, and print the medians."""
    parser = argparse.ArgumentParser(description="compares imports with and without events")
    parser.add_argument("--exposures", type=int, default=100_000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--one", nargs=2, metavar=("TABLE", "EVENTS"), help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.one:
        import_table(Path(chosen.one[0]), chosen.one[1] == "True")
        return
    figures: dict[bool, list[list[float]]] = {True: [], False: []}
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "table.csv"
        write_table(table, chosen.exposures)
        for _ in range(chosen.repeat):
            for with_events, seen in figures.items():
                command = [sys.executable, __file__, "--one", str(table), str(with_events)]
                done = subprocess.run(command, check=True, capture_output=True, text=True)
                seen.append([float(word) for word in done.stdout.split()])
    for with_events, seen in figures.items():
        seconds, size = (median(values) for values in zip(*seen, strict=True))
        print(f"{'with' if with_events else 'without'} events: {seconds:.2f} s of processor time, {size:.0f} MB")


if __name__ == "__main__":
    main()
