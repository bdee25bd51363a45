"""Fills an empty catalog from the exposures, the products, and the decisions file beside the products."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import sqlalchemy as sa

from mvmdb.catalog.configure import follow_environment
from mvmdb.catalog.decisions.load import record_decisions
from mvmdb.catalog.decisions.restore import Waiting, load_waiting, write_waiting
from mvmdb.catalog.decisions.values import Decisions, KeptProduct
from mvmdb.catalog.exposures.ingest import IngestReport, ingest_files
from mvmdb.catalog.exposures.quarantine import load_quarantined
from mvmdb.catalog.open import Engine
from mvmdb.catalog.settings import read_settings, set_products_folder, write_settings
from mvmdb.errors import UsageError
from mvmdb.monitor import SILENT, Monitor
from mvmdb.names import parse_product_name, product_place
from mvmdb.reconcile.adopt import adopt_again
from mvmdb.reconcile.observe import list_product_files
from mvmdb.reconcile.planning import Outlook, look_ahead
from mvmdb.records import ExpectedLayer, Policy, ProductRecord, Proof
from mvmdb.schema import tables as t
from mvmdb.workers.choice import open_workers
from mvmdb.workers.executor import Workers

_FILLED = (t.exposure, t.product, t.quarantine)
_BEGUN = "rebuilding"
"""The setting of a catalog whose rebuild has begun and has not ended."""


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
    """Raise UsageError, with the remedy, unless the catalog is empty, or a rebuild that was stopped has filled it."""
    with engine.begin() as connection:
        if _BEGUN in read_settings(connection):
            return
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
    fresh where they are what the lost catalog expected. A rebuild that was stopped goes on. Raises UsageError if the
    catalog is not empty.
    """
    require_empty(engine)
    with engine.begin() as connection:
        if _BEGUN not in read_settings(connection):
            write_settings(connection, {_BEGUN: "True"})
            if decisions is not None:
                record_decisions(connection, decisions)  # all of it: a rebuild that is killed here loses nothing
        set_products_folder(connection, products)
        policy = follow_environment(connection, environ)
    with open_workers(workers) as opened:
        ingest = ingest_files(engine, paths, workers=opened, monitor=monitor)
    if decisions is not None and decisions.adopted:
        _adopt_again(engine, products, policy, decisions.adopted)
    outlook = look_ahead(engine.begin, products, policy)
    unknown = [str(path) for path in _list_unknown(engine, products)]
    with engine.begin() as connection:
        connection.execute(sa.delete(t.archive).where(t.archive.c.key == _BEGUN))
        waiting = load_waiting(connection)
        accepted = {file.path for file in load_quarantined(connection) if file.accepted}
    ingest.problems = [
        replace(file, accepted=True, new=False) if file.path in accepted else file for file in ingest.problems
    ]
    return RebuildReport(
        ingest, outlook, decisions is not None, waiting, () if decisions is None else decisions.tables, unknown
    )


def _list_unknown(engine: Engine, products: Path) -> list[Path]:
    """The product files in folders of sky cells that the catalog does not record."""
    with engine.begin() as connection:
        names = connection.execute(sa.select(t.product.c.skycell, t.product.c.filename))
        recorded = {products / product_place(skycell, filename) for skycell, filename in names}
    return [path for path in list_product_files(products) if path not in recorded]


def _adopt_again(engine: Engine, products: Path, policy: Policy, adopted: Sequence[KeptProduct]) -> None:
    """Adopt the products of other programs that the lost catalog had adopted, with the trust that the user had in them.

    A trusted product is unproven now if it was stale: its members or canvas had changed since it was adopted.
    """
    kept = {(one.layer, one.data_digest): one for one in adopted}

    def trust(record: ProductRecord, _layer: ExpectedLayer) -> Proof | None:
        one = kept.get((record.layer, record.data_digest))
        if one is None:
            return None
        trusted = one.proof == Proof.TRUSTED and one.recipe_digest == record.recipe_digest
        return Proof.TRUSTED if trusted else Proof.UNPROVEN

    layers = {one.layer for one in adopted}
    paths = [path for path in list_product_files(products) if str(parse_product_name(path.name)[0]) in layers]
    adopt_again(engine, paths, products, policy, trust)
    with engine.begin() as connection:
        write_waiting(connection, replace(load_waiting(connection), adopted=()))
