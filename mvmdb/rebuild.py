"""Fills an empty catalog from the exposures, the products, and the decisions file beside the products."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import sqlalchemy as sa

from mvmdb.catalog.configure import follow_environment
from mvmdb.catalog.decisions.load import record_decisions
from mvmdb.catalog.decisions.restore import Waiting, load_waiting
from mvmdb.catalog.decisions.values import Decisions
from mvmdb.catalog.exposures.ingest import IngestReport, ingest_files
from mvmdb.catalog.exposures.quarantine import load_quarantined
from mvmdb.catalog.open import Engine
from mvmdb.catalog.settings import set_products_folder
from mvmdb.errors import UsageError
from mvmdb.monitor import SILENT, Monitor
from mvmdb.reconcile.observe import list_product_files
from mvmdb.reconcile.planning import Outlook, look_ahead
from mvmdb.schema import tables as t
from mvmdb.workers.choice import open_workers
from mvmdb.workers.executor import Workers

_FILLED = (t.exposure, t.product, t.quarantine)


@dataclass(slots=True)
class RebuildReport:
    """What a rebuild did: `ingest` of the exposures, and the `outlook` on the layers after it.

    `decided` says whether there was a decisions file. `waiting`: its decisions about exposures and files that were not
    among those given. `tables`: the words after `mvmdb import` of each table that has to be imported again. `unknown`:
    paths of products that are not recorded, as they are damaged or hold exposures that were not given.
    """

    ingest: IngestReport
    outlook: Outlook
    decided: bool
    waiting: Waiting
    tables: tuple[str, ...]
    unknown: list[str]


def require_empty(engine: Engine) -> None:
    """Raise UsageError, with the remedy, unless the catalog has neither exposures nor products."""
    with engine.begin() as connection:
        counts = {table.name: connection.scalar(sa.select(sa.func.count()).select_from(table)) for table in _FILLED}
    found = ", ".join(f"{count} rows of {name}" for name, count in counts.items() if count)
    if found:
        raise UsageError(
            f"this catalog is not empty: it holds {found}; expected an empty one, as rebuild fills it anew: "
            "give --db another file or database, or move this one away"
        )


def rebuild(
    engine: Engine,
    paths: Sequence[str],
    products: Path,
    *,
    decisions: Decisions | None,
    environ: Mapping[str, str] = os.environ,
    workers: Workers | None = None,
    monitor: Monitor = SILENT,
) -> RebuildReport:
    """Fill an empty catalog from these exposures (absolute paths), products and decisions (of `read_decisions`).

    First the configuration, then the exposures, then what was decided about them, then the products: they are found
    fresh where they are what the lost catalog expected. Raises UsageError if the catalog is not empty.
    """
    require_empty(engine)
    with engine.begin() as connection:
        if decisions is not None:
            record_decisions(connection, decisions)  # all of it: a rebuild that is killed here loses nothing
        set_products_folder(connection, products)
        policy = follow_environment(connection, environ)
    with open_workers(workers) as opened:
        ingest = ingest_files(engine, paths, workers=opened, monitor=monitor)
    outlook = look_ahead(engine.begin, products, policy)
    with engine.begin() as connection:
        waiting = load_waiting(connection)
        accepted = {file.path for file in load_quarantined(connection) if file.accepted}
        recorded = {products / row.skycell / row.filename for row in connection.execute(sa.select(t.product))}
    ingest.problems = [
        replace(file, accepted=True, new=False) if file.path in accepted else file for file in ingest.problems
    ]
    unknown = [str(path) for path in list_product_files(products) if path not in recorded]
    return RebuildReport(
        ingest, outlook, decisions is not None, waiting, () if decisions is None else decisions.tables, unknown
    )
