"""The whole archive in one catalog: import, status, a night, and queries, as the number of exposures grows.

    python bench/archive.py [--exposures 10000,100000] [--db URL] [--night 500]

Synthetic exposures (see synthetic.py) go in by the path that `mvmdb import` takes after reading its table. Peak memory
is that of this process.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

import sqlalchemy as sa
from synthetic import make_batches

from mvmdb.catalog.archive import open_catalog, read_policy
from mvmdb.catalog.bulk import register_batches
from mvmdb.reconcile.planning import look_ahead


def timed(action: Callable[[], object]) -> float:
    """Seconds of one call."""
    started = perf_counter()
    action()
    return perf_counter() - started


def measure(n: int, night: int, address: str) -> dict[str, float]:
    """Every figure for an archive of n exposures, in seconds and MB."""
    figures: dict[str, float] = {}
    figures["making batches"] = timed(lambda: [None for _ in make_batches(n)])
    with open_catalog(address, create=True) as engine:
        took = timed(lambda: register_batches(engine, make_batches(n)))
        figures["import"] = took - figures["making batches"]
        with engine.begin() as connection:
            for table in ("membership", "layer", "skycell"):
                figures[table] = float(connection.scalar(sa.text(f"SELECT count(*) FROM {table}")) or 0)
    figures["peak MB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    with open_catalog(address) as engine:
        with engine.begin() as connection:
            policy = read_policy(connection)
        figures["status"] = timed(lambda: look_ahead(engine.begin, None, policy))
        batches = list(make_batches(night, seed=2, start=n))
        figures[f"night of {night}"] = timed(lambda: register_batches(engine, batches))
        figures["coverage of a cell"] = timed(lambda: ask(engine, CELL))
        figures["filter in 1 degree"] = timed(lambda: ask(engine, CONE))
    return figures


CELL = "SELECT * FROM coverage WHERE skycell = (SELECT name FROM skycell ORDER BY id LIMIT 1)"
CONE = "SELECT * FROM coverage WHERE filter = 'F814W' AND in_cone(ra, dec, 53.1, -27.8, 1.0)"


def ask(engine: sa.Engine, sql: str) -> int:
    """The number of rows that a question has for an answer."""
    with engine.connect() as connection:
        return len(connection.execute(sa.text(sql)).all())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--exposures", default="10000,50000", help="numbers of exposures, joined with commas")
    parser.add_argument("--night", type=int, default=500, help="new exposures of one night")
    options = parser.parse_args()
    columns = []
    for text in options.exposures.split(","):
        with tempfile.TemporaryDirectory(prefix="mvmdb-bench-") as folder:
            columns.append(measure(int(text), options.night, str(Path(folder) / "mvm.db")))
    print(f"{'exposures':24}" + "".join(f"{int(text):>14,}" for text in options.exposures.split(",")))
    for name in columns[0]:
        print(f"{name:24}" + "".join(f"{figures[name]:>14,.2f}" for figures in columns))


if __name__ == "__main__":
    main()
