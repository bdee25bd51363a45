"""Making a catalog and changing its configuration: what `mvmdb init` does."""

from __future__ import annotations

from pathlib import Path

from mvmdb.catalog.archive import configure_layers, open_catalog, read_policy, set_products_folder, write_settings
from mvmdb.catalog.memberships import recompute_memberships
from mvmdb.reconcile.sublayers import parse_epochs
from mvmdb.records import ExptimeLayers, Rule
from mvmdb.schema import open_engine, upgrade_schema
from mvmdb.schema.engine import clear_errors


def initialise(
    address: str,
    *,
    rule: Rule | None = None,
    products: Path | None = None,
    exptime_layers: ExptimeLayers | None = None,
    epochs: str | None = None,
    errors: bool | None = None,
    upgrade: bool = False,
) -> None:
    """Make a catalog, or change the configuration of one that is there; `upgrade` brings its schema up to date.

    A change of `rule` recomputes every membership in the same transaction, and a change of `exptime_layers`,
    `epochs` (none, yearly, or dates joined with commas) or `errors` every layer. Raises UsageError for other epochs.
    """
    normal = None if epochs is None else parse_epochs(epochs)
    if upgrade:
        engine = open_engine(address)
        with clear_errors(address), engine.begin() as connection:
            upgrade_schema(connection)
        engine.dispose()
    with open_catalog(address, create=True) as engine, engine.begin() as connection:
        if products is not None:
            set_products_folder(connection, products)
        if rule is not None and rule != read_policy(connection).rule:
            write_settings(connection, {"rule": rule})
            recompute_memberships(connection, read_policy(connection))
        configure_layers(connection, exptime_layers, normal, errors)
