"""Creates a catalog and changes its configuration: what `mvmdb init` does."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import sqlalchemy as sa

from mvmdb.catalog import due_pollers
from mvmdb.catalog.alternates import choose_alternate, use_alternates
from mvmdb.catalog.decisions.keep import keep_decisions
from mvmdb.catalog.exposures.memberships import recompute_memberships
from mvmdb.catalog.exposures.standing import lift_refusals
from mvmdb.catalog.layers.changed_keys import all_keys
from mvmdb.catalog.layers.frames import settle_frames
from mvmdb.catalog.layers.refresh import refresh_layers
from mvmdb.catalog.open import open_catalog
from mvmdb.catalog.products.folder import UNASKED, Consent, require_products_folder
from mvmdb.catalog.settings import (
    BESIDE,
    KEEP_HISTORY,
    LONGEST_HISTORY,
    layer_settings,
    read_policy,
    require_no_file,
    set_products_folder,
    write_settings,
)
from mvmdb.catalog.shifts.places import placed_exposures
from mvmdb.errors import UsageError
from mvmdb.exposures.eligibility import ERRORS, apply_switches
from mvmdb.layers.divisions import parse_epochs
from mvmdb.recipe import Method, Shallow, Weight
from mvmdb.records import ExptimeLayers, Frames, Policy, Rule
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
    weight: Weight | None = None,
    frames: Frames | None = None,
    method: Method | None = None,
    shallow: Shallow | None = None,
    consent: Consent = UNASKED,
    keep_history: int | None = None,
    alternate: str | None = None,
    beside: str | None = None,
    upgrade: bool = False,
    record: Callable[[sa.Engine], sa.Engine] = lambda engine: engine,
) -> str:
    """Create a catalog, or change the configuration of an existing one; with `upgrade`, upgrade its schema first.

    A change of `rule` recomputes every membership in the same transaction; a change of `exptime_layers`, `epochs`
    (`none`, `yearly`, or dates joined with commas), `errors`, `weight`, `frames`, `method` or `shallow` recomputes
    every layer. An upgrade finds out what its tables newly hold. Raises UsageError for other epochs, and for a products
    folder that `require_products_folder` refuses without the user's consent.
    `alternate` is the name of the solution that layers use, or `none`: the layers of exposures that have it are
    recomputed. `beside`: the kinds of files that stand beside products, joined by commas, as `companions` writes them;
    the next run makes them. `keep_history` is how many days of history `nightly` keeps, 0 for ever. `record` is given
    the engine and returns the one to work with, which the caller may have bound to a run of the history. Returns what
    keeps the decisions file from being written, or an empty text.
    """
    normal = None if epochs is None else parse_epochs(epochs)
    if keep_history is not None and not 0 <= keep_history <= LONGEST_HISTORY:
        raise UsageError(
            f"history is to be kept for {keep_history} days; expected {LONGEST_HISTORY} at most, or 0 for ever"
        )
    if upgrade:
        engine = open_engine(address)
        with clear_errors(address, engine), engine.begin() as connection:
            upgrade_schema(connection)
        engine.dispose()
    with open_catalog(address, create=True) as opened:
        engine = record(opened)
        if products is not None:
            require_products_folder(engine.begin, products.absolute(), consent)
            require_no_file(products)
        if upgrade:
            with engine.begin() as connection:
                settle_frames(connection)
        with engine.begin() as connection:
            _configure(connection, rule, products, keep_history)
            changes = {"exptime_layers": exptime_layers, "epochs": normal, "errors": errors, "weight": weight,
                       "frames": frames, "method": method, "shallow": shallow}  # fmt: skip
            configure_layers(connection, changes)
            if alternate is not None:
                choose_alternate(connection, alternate)
            if beside is not None:
                write_settings(connection, {BESIDE: beside})
        return keep_decisions(engine)


def _configure(connection: sa.Connection, rule: Rule | None, products: Path | None, keep_history: int | None) -> None:
    """Record what is given of the rule, the products folder and the days of history; with a rule, recompute."""
    if products is not None:
        set_products_folder(connection, products)
    if rule is not None and rule != read_policy(connection).rule:
        write_settings(connection, {"rule": rule})
        recompute_memberships(connection, read_policy(connection))
        due_pollers.forget(connection)
    if keep_history is not None:
        write_settings(connection, {KEEP_HISTORY: str(keep_history)})


def follow_environment(
    connection: sa.Connection, environ: Mapping[str, str] = os.environ, *, cells: Sequence[int] | None = None
) -> Policy:
    """Record MVM_INCLUDE_SMALL and MVM_ONLY_CTE, recompute all layers if either changed, and return the policy.

    With `cells`, only the layers in these sky cells (keys) are recomputed, as suits a transaction that is rolled back.
    An unset variable leaves the recorded value, so that a command in another shell changes nothing. Raises UsageError
    for a value that is not on/off/true/false/yes/no.
    """
    recorded = read_policy(connection)
    wanted = apply_switches(recorded, environ)
    if wanted != recorded:
        write_settings(connection, {"include_small": str(wanted.include_small), "only_cte": str(wanted.only_cte)})
        refresh_layers(connection, all_keys(connection, cells), wanted)
        due_pollers.forget(connection)
    return wanted


def configure_layers(connection: sa.Connection, changes: Mapping[str, object]) -> None:
    """Record new values of the fields of Policy that `layer_settings` lists (None: unchanged).

    If anything changed, all layers are recomputed.
    """
    recorded = read_policy(connection)
    wanted = replace(recorded, **{name: value for name, value in changes.items() if value is not None})  # type: ignore[arg-type]
    if wanted != recorded:
        write_settings(connection, layer_settings(wanted))
        if not wanted.errors and wanted.weight == "exptime":
            lift_refusals(connection, ERRORS)
        if "align" in (wanted.frames, recorded.frames) and wanted.frames != recorded.frames:
            use_alternates(connection, placed_exposures(connection))
        refresh_layers(connection, all_keys(connection), wanted)
        due_pollers.forget(connection)
