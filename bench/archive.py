"""The whole archive in one catalog: import, status, a night, and queries, as the number of exposures grows.

    python bench/archive.py [--exposures 10000,100000,1000000] [--postgres] [--night 500]

Synthetic exposures (see synthetic.py) are written to a CSV table (not timed) and imported as `mvmdb import` does. Each
column is measured in a separate process; peak memory is that of its largest process, including its children.
`--postgres` starts a new server in the temporary folder (see SERVER). `list` is the real list in ../shared, if present.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import Any

import sqlalchemy as sa
from profiling import profiled
from synthetic import make_batches, write_table

from mvmdb.catalog.exposures.bulk_load import register_batches
from mvmdb.catalog.open import open_catalog
from mvmdb.catalog.settings import read_policy
from mvmdb.reconcile.planning import look_ahead
from mvmdb.tables.background import read_batches_in_background

HERE = Path(__file__).resolve().parent
SHARED = Path(os.environ.get("MVMDB_SHARED") or HERE.parents[1] / "shared")
UNITS = {"rows": 0, "memberships": 0, "layers": 0, "catalog MB": 0, "peak MB": 0}


def timed(action: Callable[[], object]) -> float:
    """Seconds of one call."""
    started = perf_counter()
    action()
    return perf_counter() - started


def measure(what: str, night: int, address: str, folder: Path, profile: bool) -> dict[str, float]:
    """All figures for an archive of `what` exposures, or for the real list (`list`): counts, MB and seconds."""
    table, siaf = folder / "table.csv", None
    if what == "list":
        lists = SHARED / "data" / "archive_list"
        table, siaf = lists / "hst_search.txt.gz", str(lists / "hst_siaf.dat.gz")
    else:
        write_table(table, int(what))
        os.sync()  # so that the disk is idle when the import is timed
    figures: dict[str, float] = {}
    with open_catalog(address, create=True) as engine:
        batches = read_batches_in_background(table, siaf=siaf, report=ignore, progress=ignore)
        with profiled(profile):
            seconds = timed(lambda: register_batches(engine, batches))
        with engine.begin() as connection:
            for name, sql in COUNTS.items():
                figures[name] = float(connection.scalar(sa.text(sql)) or 0)
        figures["import"] = seconds
        figures["import of 1000"] = 1000 * seconds / figures["rows"]
    figures["catalog MB"] = size_of(address)
    figures["status, all to be made"] = timed(lambda: look(address))
    with open_catalog(address) as engine:
        with engine.begin() as connection:
            policy = read_policy(connection)
            for sql in AS_IF_MADE:
                connection.exec_driver_sql(sql)
        settle(engine)
        new = list(make_batches(night, seed=2, start=int(figures["rows"])))
        figures[f"night of {night}: register"] = timed(lambda: register_batches(engine, new))
        figures[f"night of {night}: plan"] = timed(lambda: look_ahead(engine.begin, None, policy))
        figures["coverage of a sky cell"] = ask(engine, CELL)
        figures["a filter within 1 degree"] = ask(engine, CONE)
    figures["status after the night"] = timed(lambda: look(address))
    peaks = [resource.getrusage(who).ru_maxrss / 1024 for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return figures | {"peak MB": max(peaks)}


COUNTS = {
    "rows": "SELECT count(*) FROM exposure",
    "memberships": "SELECT count(*) FROM membership",
    "layers": "SELECT count(*) FROM layer",
}
DEEPEST = (
    "SELECT c.name, c.ra, c.dec FROM layer l JOIN skycell c ON c.id = l.skycell_id "
    "ORDER BY l.exptime DESC, c.id LIMIT 1"
)
CELL = "SELECT * FROM coverage WHERE skycell = '{name}'"
CONE = (
    "SELECT * FROM coverage WHERE filter = 'F814W' AND dec BETWEEN {dec} - 1.0 AND {dec} + 1.0 "
    "AND in_cone(ra, dec, {ra}, {dec}, 1.0)"
)
"""Asked at the layer with the longest exposure time, the worst case. SQLite's index needs the range of declinations."""
AS_IF_MADE = (
    "INSERT INTO product (layer, layer_id, skycell, filename, size, mtime_ns, data_digest, x_min, x_max, y_min, y_max, "
    "n_members, recipe, recipe_digest, state, made_at) SELECT l.name, l.id, c.name, '', 0, 0, '', c.x_min, c.x_max, "
    "c.y_min, c.y_max, l.n_exposures, r.parameters, l.recipe_digest, 'intact', '2026-01-01 00:00:00' "
    "FROM layer l JOIN skycell c ON c.id = l.skycell_id JOIN recipe r ON r.id = l.recipe_id",
    "INSERT INTO product_member (product_id, ipppssoo, rootname, pixels, pixel_digest, wcs_digest, wcsname, sky_group, "
    "exptime, sky) SELECT p.id, e.ipppssoo, e.rootname, e.pixels, '', e.wcs_digest, '', '', e.exptime, 0.0 "
    "FROM product p JOIN layer_member m ON m.layer_id = p.layer_id JOIN exposure e ON e.id = m.exposure_id",
    "UPDATE layer SET made_digest = recipe_digest",
)
"""Writes the rows of a catalog whose mosaics have all been made; there are no files."""


def settle(engine: sa.Engine) -> None:
    """Do now what PostgreSQL's autovacuum does after so many changes; SQLite has nothing like it."""
    if engine.dialect.name != "postgresql":
        return
    connection = engine.raw_connection()
    driver: Any = connection.driver_connection
    driver.autocommit = True
    driver.execute("VACUUM ANALYZE")
    driver.autocommit = False
    connection.close()


def ask(engine: sa.Engine, sql: str) -> float:
    """Seconds that a query takes at the layer with the longest exposure time, the least of three runs."""
    with engine.connect() as connection:
        cell = connection.execute(sa.text(DEEPEST)).one()
        statement = sa.text(sql.format(**cell._mapping))
        return min(timed(lambda: connection.execute(statement).all()) for _ in range(3))


def look(address: str) -> None:
    """Run `mvmdb status` in a separate process; its output is discarded."""
    done = subprocess.run(
        [sys.executable, "-m", "mvmdb.cli", "--db", address, "status"], stdout=subprocess.DEVNULL, check=False
    )
    if done.returncode > 1:  # 0: the layers of a table wait for files; 1: layers are stale
        raise SystemExit(f"status ended with {done.returncode}; expected 0 or 1")


def ignore(*_: object) -> None:
    """Discard problems and progress."""


def size_of(address: str) -> float:
    """The size of a catalog in MB."""
    if "://" not in address:
        return Path(address).stat().st_size / 1e6
    with open_catalog(address) as engine, engine.begin() as connection:
        return float(connection.scalar(sa.text("SELECT pg_database_size(current_database())")) or 0) / 1e6


SERVER = {
    "fsync": "on", "synchronous_commit": "on", "full_page_writes": "on", "wal_level": "replica", "autovacuum": "on",
    "shared_buffers": "2GB", "maintenance_work_mem": "512MB", "max_wal_size": "8GB",
}  # fmt: skip
"""As safe as PostgreSQL's defaults, with as much memory and space for its log as a data centre would give it."""


@contextmanager
def databases(postgres: bool, folder: str) -> Iterator[Callable[[str], str]]:
    """Yields a function that returns the address of a new database for a column."""
    if not postgres:
        yield lambda what: str(Path(folder) / f"{what}.db")
        return
    sys.path.insert(0, str(HERE.parent / "tests"))
    from postgres import run_server

    os.chmod(folder, 0o755)  # the server runs as a user of its own
    with run_server(folder, SERVER) as server:
        yield lambda what: server.address(server.make_database())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--exposures", default="10000,50000,list", help="numbers of exposures or list, with commas")
    parser.add_argument("--night", type=int, default=500, help="new exposures of one night")
    parser.add_argument("--postgres", action="store_true", help="use a new PostgreSQL server instead of SQLite")
    parser.add_argument("--profile", action="store_true", help="show where the time of the import goes")
    parser.add_argument("--one", nargs=2, metavar=("WHAT", "ADDRESS"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        with tempfile.TemporaryDirectory(prefix="mvmdb-bench-") as folder:
            print(json.dumps(measure(options.one[0], options.night, options.one[1], Path(folder), options.profile)))
        return
    names = [name for name in options.exposures.split(",") if name != "list" or (SHARED / "data").is_dir()]
    columns = []
    with tempfile.TemporaryDirectory(prefix="mvmdb-bench-") as folder, databases(options.postgres, folder) as new:
        for name in names:
            words = [sys.executable, __file__, "--night", str(options.night), "--one", name, new(name)]
            words += ["--profile"] if options.profile else []
            columns.append(json.loads(subprocess.run(words, check=True, stdout=subprocess.PIPE).stdout))
    print(f"{'PostgreSQL' if options.postgres else 'SQLite':28}" + "".join(f"{name:>14}" for name in names))
    for name in columns[0]:
        digits = UNITS.get(name, 3 if "cell" in name or "degree" in name else 2)
        print(f"{name:28}" + "".join(f"{figures[name]:>14,.{digits}f}" for figures in columns))


if __name__ == "__main__":
    main()
