"""How long the sky map of a catalog of many exposures takes, how large it is, and how soon a browser shows it.

    python bench/page.py [--exposures 1000000] [--db FILE] [--page DIR]

A new catalog of synthetic exposures is imported (see synthetic.py), or the one given is shown. No mosaic is made, so
that every layer is stale. `mvmdb page` runs twice as a whole process: the second run finds nothing to write. Then
Chromium (MVMDB_CHROMIUM, or of the PATH) loads views from a server on this machine, each in a new context.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from time import perf_counter

from synthetic import make_batches

from mvmdb.catalog.exposures.bulk_load import register_batches
from mvmdb.catalog.open import open_catalog

VIEWS = {
    "whole sky": "",
    "whole sky, two filters and dates": "#f=f160w,f814w&d=2010-01..2012-12",
    "whole sky, a program": "#q=11359",
    "25 degrees": "#c=83,-20&fov=25",
    "4 degrees, sky cells": "#c=83,-20&fov=4",
    "0.5 degrees, footprints": "#c=82.2,-18.6&fov=0.5",
}


def main() -> None:
    """Print what the page costs to write, and what its views cost to see."""
    parser = argparse.ArgumentParser(description="times the sky map")
    parser.add_argument("--exposures", type=int, default=1_000_000)
    parser.add_argument("--db", type=Path)
    parser.add_argument("--page", type=Path, help="write the page here instead of into a temporary folder")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        address = chosen.db or Path(temporary) / "mvm.db"
        if chosen.db is None:
            with open_catalog(str(address), create=True) as engine:
                register_batches(engine, make_batches(chosen.exposures))
        folder = chosen.page or Path(temporary) / "map"
        for run in ("first run", "second run"):
            seconds, cpu = write(address, folder)
            print(f"{seconds:7.1f} s, {cpu:6.1f} s of processor  mvmdb page, {run}", flush=True)
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1000
        print(f"{peak:7.0f} MB  its largest process")
        weigh(folder)
        look(folder)


def write(address: Path, folder: Path) -> tuple[float, float]:
    """Seconds, and seconds of processor time, of one run."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), perf_counter()
    subprocess.run([sys.executable, "-m", "mvmdb", "--db", str(address), "page", "-o", str(folder)], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return perf_counter() - started, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def weigh(folder: Path) -> None:
    """Print the number and size of the files of each kind."""
    sizes: Counter[str] = Counter()
    numbers: Counter[str] = Counter()
    largest: dict[str, int] = {}
    for path in folder.rglob("*"):
        if path.is_file():
            kind = "/".join(path.relative_to(folder).parts[:2]) if path.parent != folder else "."
            size = path.stat().st_size
            sizes[kind] += size
            numbers[kind] += 1
            largest[kind] = max(largest.get(kind, 0), size)
    for kind in sorted(sizes):
        print(f"{numbers[kind]:7} files, {sizes[kind] / 1e6:8.2f} MB, largest {largest[kind] / 1e6:6.3f} MB  {kind}")
    print(f"{numbers.total():7} files, {sizes.total() / 1e6:8.2f} MB  in all")


def look(folder: Path) -> None:
    """Print how long views take in Chromium, and how many bytes they load."""
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
    from browsers import open_browser, serve_folder

    with serve_folder(folder) as url, open_browser() as browser:
        for name, view in VIEWS.items():
            page = browser.new_page(viewport={"width": 1440, "height": 860})
            loaded: list[int] = []
            page.on("response", lambda response, loaded=loaded: loaded.append(int(response.headers["content-length"])))
            page.goto("about:blank")  # so that the start of the browser's process is not measured
            started = perf_counter()
            page.goto(f"{url}/index.html{view}")
            page.locator("#map[data-complete=true]").wait_for()
            print(f"{perf_counter() - started:7.2f} s, {sum(loaded) / 1e6:6.2f} MB, {len(loaded):3} files  {name}")
            page.close()


if __name__ == "__main__":
    main()
