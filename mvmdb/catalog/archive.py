"""The archive as a whole: opening its catalog, and the configuration that is recorded in it."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path

import sqlalchemy as sa

from mvmdb.catalog.layers import refresh_layers
from mvmdb.catalog.touched import all_keys
from mvmdb.errors import UsageError
from mvmdb.exposures.eligibility import apply_switches
from mvmdb.names import parse_cell_name
from mvmdb.records import ExptimeLayers, Policy, Rule
from mvmdb.schema import create_schema, open_engine, require_schema, upsert
from mvmdb.schema import tables as t
from mvmdb.schema.engine import clear_errors

_EXPTIME_LAYERS: dict[str, ExptimeLayers] = {"classes": "classes", "clusters": "clusters"}


@contextmanager
def open_catalog(address: str, *, create: bool = False, read_only: bool = False) -> Iterator[sa.Engine]:
    """An engine on the catalog at a path or URL, its schema checked; disposed of at the end.

    With `create`, a missing catalog is made with the default configuration. Raises CatalogError.
    """
    engine = open_engine(address, create=create, read_only=read_only)
    try:
        with clear_errors(address):
            with engine.begin() as connection:
                if create:
                    create_schema(connection)
                else:
                    require_schema(connection)
            yield engine
    finally:
        engine.dispose()


def read_policy(connection: sa.Connection) -> Policy:
    """The recorded policy."""
    settings = _read_settings(connection)
    default = Policy()
    rule: Rule = "nearest" if settings.get("rule") == "nearest" else "overlap"
    return Policy(
        rule=rule,
        include_small=settings.get("include_small", str(default.include_small)) == "True",
        only_cte=settings.get("only_cte", str(default.only_cte)) == "True",
        exptime_layers=_EXPTIME_LAYERS.get(settings.get("exptime_layers", ""), default.exptime_layers),
        epochs=settings.get("epochs", default.epochs),
        errors=settings.get("errors", str(default.errors)) == "True",
    )


def policy_in(engine: sa.Engine, environ: Mapping[str, str] = os.environ) -> tuple[Policy, bool]:
    """The policy that the environment asks for, and whether it is the recorded one."""
    with engine.begin() as connection:
        recorded = read_policy(connection)
    wanted = apply_switches(recorded, environ)
    return wanted, wanted == recorded


def follow_environment(connection: sa.Connection, environ: Mapping[str, str] = os.environ) -> Policy:
    """Record what MVM_INCLUDE_SMALL and MVM_ONLY_CTE say, and expect layers anew where that is a change.

    A variable that is not set leaves the recorded value, so that a look from another shell changes nothing. Raises
    UsageError for a value that is not on/off/true/false/yes/no.
    """
    recorded = read_policy(connection)
    wanted = apply_switches(recorded, environ)
    if wanted != recorded:
        write_settings(connection, {"include_small": str(wanted.include_small), "only_cte": str(wanted.only_cte)})
        refresh_layers(connection, all_keys(connection), wanted)
    return wanted


def configure_layers(
    connection: sa.Connection, exptime_layers: ExptimeLayers | None, epochs: str | None, errors: bool | None
) -> None:
    """Record how layers are divided by exposure time and by date, and whether mosaics have errors (None: as before).

    Where that is a change, all layers are expected anew.
    """
    recorded = read_policy(connection)
    wanted = replace(
        recorded,
        exptime_layers=recorded.exptime_layers if exptime_layers is None else exptime_layers,
        epochs=recorded.epochs if epochs is None else epochs,
        errors=recorded.errors if errors is None else errors,
    )
    if wanted != recorded:
        settings = {"exptime_layers": wanted.exptime_layers, "epochs": wanted.epochs, "errors": str(wanted.errors)}
        write_settings(connection, settings)
        refresh_layers(connection, all_keys(connection), wanted)


def products_folder(connection: sa.Connection, given: Path | None) -> Path:
    """The folder of products: the one given, or the recorded one. Raises UsageError where there is neither."""
    if given is not None:
        return given.absolute()
    recorded = _read_settings(connection).get("products")
    if recorded is None:
        raise UsageError(
            "no products folder is recorded in this catalog; give -o DIR, or run: mvmdb init --products DIR"
        )
    return Path(recorded)


def recorded_products_folder(connection: sa.Connection) -> Path | None:
    """The recorded folder of products, None when there is none yet."""
    recorded = _read_settings(connection).get("products")
    return None if recorded is None else Path(recorded)


def set_products_folder(connection: sa.Connection, folder: Path) -> None:
    """Record where products are; they are found there by sky cell and name, so a moved folder stays fresh."""
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file; expected a folder for the products: give another")
    if _read_settings(connection).get("products") != str(folder.absolute()):
        write_settings(connection, {"products": str(folder.absolute())})


def all_cells(connection: sa.Connection) -> list[int]:
    """The keys of every sky cell that some layer is in."""
    return list(connection.scalars(sa.select(t.layer.c.skycell_id).distinct().order_by(t.layer.c.skycell_id)))


@contextmanager
def trial(engine: sa.Engine) -> Iterator[Callable[[], AbstractContextManager[sa.Connection]]]:
    """Transactions that see each other's changes, none of which is kept: for asking what would be."""
    with engine.connect() as connection, connection.begin() as transaction:

        @contextmanager
        def begin() -> Iterator[sa.Connection]:
            yield connection

        yield begin
        transaction.rollback()


def now() -> dt.datetime:
    """The time for `..._at` columns: UTC, without a zone, to the second."""
    return dt.datetime.now(dt.UTC).replace(tzinfo=None, microsecond=0)


def _read_settings(connection: sa.Connection) -> dict[str, str]:
    rows = connection.execute(sa.select(t.archive.c.key, t.archive.c.value))
    return {key: value for key, value in rows}


def write_settings(connection: sa.Connection, settings: Mapping[str, str]) -> None:
    upsert(connection, t.archive, ("key",), [{"key": key, "value": value} for key, value in settings.items()])


def resolve_cells(connection: sa.Connection, names: list[str]) -> list[int]:
    """The keys of sky cells given by name; raises UsageError for a cell that no exposure overlaps."""
    cells = [parse_cell_name(name) for name in names]
    query = sa.select(t.skycell.c.id).where(t.skycell.c.id.in_([cell.index for cell in cells]))
    known = set(connection.scalars(query))
    for cell in cells:
        if cell.index not in known:
            raise UsageError(f"{cell} holds no exposure of this catalog; see `mvmdb query 'SELECT name FROM skycell'`")
    return [cell.index for cell in cells]
