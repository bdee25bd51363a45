"""How long exports of many exposures take and how much memory they need, as whole processes.

    python bench/formats.py [--exposures 100000] [--db FILE] [--formats moc ds9 ...] [--order 16]

A new catalog of synthetic exposures is imported (see synthetic.py), or the one given is exported. No mosaic is made, so
that `obscore` and `parquet` hold exposures alone.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter

from synthetic import import_catalog

from mvmdb.formats.values import FORMATS

ENDINGS = {"moc": "fits", "obscore": "vot", "ds9": "reg", "aladin": "ajs"}


def main() -> None:
    """Print the seconds, the size of the file and the memory of each export."""
    parser = argparse.ArgumentParser(description="times exports")
    parser.add_argument("--exposures", type=int, default=100_000)
    parser.add_argument("--db", type=Path)
    parser.add_argument("--formats", nargs="+", choices=FORMATS, default=FORMATS)
    parser.add_argument("--order", type=int, default=16)
    chosen = parser.parse_args()
    mvmdb = [sys.executable, "-m", "mvmdb"]
    with tempfile.TemporaryDirectory() as folder:
        address = chosen.db or Path(folder) / "mvm.db"
        if chosen.db is None:
            import_catalog(address, chosen.exposures, Path(folder))
        for name in chosen.formats:
            path = Path(folder) / f"all.{ENDINGS.get(name, name)}"
            order = ["--order", str(chosen.order)] if name == "moc" else []
            words = [*mvmdb, "--db", str(address), "coverage", "export", name, "-o", str(path), *order]
            started = perf_counter()
            process = subprocess.Popen(words, stdout=subprocess.DEVNULL)
            _, status, used = os.wait4(process.pid, 0)
            if status != 0:
                sys.exit(f"{' '.join(words)} failed")
            print(
                f"{name:8} {perf_counter() - started:7.1f} s, {used.ru_utime:7.1f} s of processor time, "
                f"{path.stat().st_size / 1e6:7.1f} MB, {used.ru_maxrss / 1000:6.0f} MB of memory",
                flush=True,
            )


if __name__ == "__main__":
    main()
