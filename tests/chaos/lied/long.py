"""The long run of `make chaos-lied`: ten thousand mutated files, hundreds in a trial; it stops at the first lie.

    PYTHONPATH=tests python -m chaos.lied.long --files 10000 --seed 1

A fifth of the files are products. The exit code is 1 where a file is believed that must not be, or does harm; the
folder of that trial is kept, and its seed is printed.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from pathlib import Path

from chaos.lied.oddities import ODDITIES
from chaos.lied.originals import make_originals
from chaos.lied.products import make_stock, read_mutants, replace_products
from chaos.lied.trial import Figures, LieError, ingest_mutants
from chaos.long import open_folder
from chaos.nest import Nest

AT_ONCE, PRODUCTS_AT_ONCE = 250, 100


def run_exposures(nest: Nest, folder: Path, seed: int, count: int) -> Figures:
    """So many mutants of exposures, with everything odd in the first trial of them."""
    total, originals = Figures(), make_originals()
    for number, start in enumerate(range(0, count, AT_ONCE)):
        place = folder / f"exposures-{number}"
        odd = () if number else ODDITIES
        figures = ingest_mutants(nest, place, originals, f"{seed}-{number}", min(AT_ONCE, count - start), odd)
        total.add(figures)
        shutil.rmtree(place)
    return total


def run_products(nest: Nest, folder: Path, seed: int, count: int) -> Figures:
    """So many mutants of products, each read by every reader; some take the place of recorded ones."""
    total, stock = Figures(), make_stock(folder / "stock")
    for number, start in enumerate(range(0, count, PRODUCTS_AT_ONCE)):
        place = folder / f"products-{number}"
        total.add(read_mutants(nest, place, stock, f"{seed}-{number}", min(PRODUCTS_AT_ONCE, count - start)))
        shutil.rmtree(place)
    total.add(replace_products(nest, stock, f"{seed}", max(1, count // 20)))
    return total


def main() -> int:
    """Try so many files, print the figures, and return 1 at the first lie."""
    parser = argparse.ArgumentParser(description="ingests mutated files, and compares what is registered with astropy")
    parser.add_argument("--files", type=int, default=10000)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    began = time.monotonic()
    print(f"seed {chosen.seed}", flush=True)
    try:
        with open_folder() as folder, Nest() as nest:
            products = chosen.files // 5
            print(f"exposures: {run_exposures(nest, folder, chosen.seed, chosen.files - products)}", flush=True)
            print(f"products: {run_products(nest, folder, chosen.seed, products)}", flush=True)
    except LieError as lie:
        print(lie, file=sys.stderr)
        return 1
    print(f"0 complaints, {time.monotonic() - began:.0f} s", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
