"""The archive's recorded configuration: its policy and its products folder."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import get_args

import sqlalchemy as sa

from mvmdb.catalog.history.events import Event, Happened, write_events
from mvmdb.errors import UsageError
from mvmdb.exposures.eligibility import apply_switches
from mvmdb.recipe import Shallow
from mvmdb.records import ExptimeLayers, Frames, Policy, Rule
from mvmdb.schema import tables as t
from mvmdb.schema import upsert
from mvmdb.schema.values import has_impossible
from mvmdb.schema.versions import REVISION

LONGEST_HISTORY = 36525
"""The most days for which history can be kept, a century: older than Hubble, and a date that every database knows."""
KEEP_HISTORY = "history_days"
"""The setting of how many days of history are kept; 0, or absent, is for ever."""
PRODUCTS = "products"
"""The setting of the products folder."""
ALTERNATE = "alternate"
"""The setting that names the alternate solution which layers use; empty, or absent, for the files' own."""
METHOD = "method"
"""The setting of how mosaics are made. New catalogs have it; one without it is older, and makes them as `hap` does."""
SHALLOW = "shallow"
"""The setting of how mosaics of a mean depth of one exposure are made; empty, or absent, for as the method has it."""
FRAMES = "frames"
"""The setting of which exposures layers take by their frames."""
WEIGHT = "weight"
"""The setting of what members count by."""
BESIDE = "beside"
"""The setting of the kinds of files that stand beside products, joined by commas; empty, or absent, for none."""
CONFIGURATION = (
    "rule", PRODUCTS, "exptime_layers", "epochs", "errors", WEIGHT, FRAMES, METHOD, SHALLOW, ALTERNATE,
    "include_small", "only_cte", KEEP_HISTORY, BESIDE,
)  # fmt: skip
"""The settings that a user can change."""
_SHALLOW: dict[str, Shallow] = {"hap": "hap", "match": "match"}
_FRAMES: dict[str, Frames] = {name: name for name in get_args(Frames)}
_EXPTIME_LAYERS: dict[str, ExptimeLayers] = {"classes": "classes", "clusters": "clusters"}


def read_policy(connection: sa.Connection) -> Policy:
    """The recorded policy, with the defaults of Policy for what is not recorded, but for the method: see METHOD."""
    settings = read_settings(connection)
    default = Policy()
    rule: Rule = "nearest" if settings.get("rule") == "nearest" else "overlap"
    return Policy(
        rule=rule,
        include_small=settings.get("include_small", str(default.include_small)) == "True",
        only_cte=settings.get("only_cte", str(default.only_cte)) == "True",
        exptime_layers=_EXPTIME_LAYERS.get(settings.get("exptime_layers", ""), default.exptime_layers),
        epochs=settings.get("epochs", default.epochs),
        errors=settings.get("errors", str(default.errors)) == "True",
        frames=_FRAMES.get(settings.get(FRAMES, ""), default.frames),
        weight="ivm" if settings.get(WEIGHT) == "ivm" else default.weight,
        method="mvmdb" if settings.get(METHOD) == "mvmdb" else "hap",
        shallow=_SHALLOW.get(settings.get(SHALLOW, ""), default.shallow),
    )


def record_defaults(connection: sa.Connection) -> None:
    """Record in a new catalog what is not the default of one that lacks the setting."""
    upsert(connection, t.archive, ("key",), [{"key": METHOD, "value": Policy().method}])


def layer_settings(policy: Policy) -> dict[str, str]:
    """The settings that `configure_layers` changes, as `read_policy` reads them."""
    return {
        "exptime_layers": policy.exptime_layers,
        "epochs": policy.epochs,
        "errors": str(policy.errors),
        FRAMES: policy.frames,
        WEIGHT: policy.weight,
        METHOD: policy.method,
        SHALLOW: policy.shallow,
    }


def policy_in(engine: sa.Engine, environ: Mapping[str, str] = os.environ) -> tuple[Policy, bool]:
    """The policy that the environment asks for, and whether it equals the recorded one. Raises UsageError."""
    with engine.begin() as connection:
        recorded = read_policy(connection)
    wanted = apply_switches(recorded, environ)
    return wanted, wanted == recorded


def products_folder(connection: sa.Connection, given: Path | None) -> Path:
    """The products folder: the given one, or else the recorded one. Raises UsageError if there is neither."""
    if given is not None:
        return given.absolute()
    recorded = read_settings(connection).get("products")
    if recorded is None:
        raise UsageError(
            "no products folder is recorded in this catalog; give -o DIR, or run: mvmdb init --products DIR"
        )
    return Path(recorded)


def recorded_products_folder(connection: sa.Connection) -> Path | None:
    """The recorded products folder, or None."""
    recorded = read_settings(connection).get("products")
    return None if recorded is None else Path(recorded)


def require_no_file(folder: Path) -> None:
    """Raise UsageError if a products folder is a file."""
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file; expected a folder for the products: give another")


def set_products_folder(connection: sa.Connection, folder: Path) -> None:
    """Record the products folder; products are found in it by sky cell and name, so they stay fresh when it is moved.

    Call `require_no_file` first.
    """
    if read_settings(connection).get("products") != str(folder.absolute()):
        write_settings(connection, {"products": str(folder.absolute())})


def history_days(connection: sa.Connection) -> int:
    """How many days of history are kept; 0 is for ever."""
    return int(read_settings(connection).get(KEEP_HISTORY, "0"))


def beside(connection: sa.Connection) -> str:
    """The kinds of files that stand beside products, joined by commas; empty for none."""
    return read_settings(connection).get(BESIDE, "")


def read_configuration(connection: sa.Connection) -> dict[str, str | int | bool | None]:
    """The configuration, by the names of the options and variables that set it; None for what is not set."""
    policy, products = read_policy(connection), recorded_products_folder(connection)
    return {
        "rule": policy.rule,
        "products": None if products is None else str(products),
        "layers": policy.exptime_layers,
        "epochs": policy.epochs or "none",
        "errors": policy.errors,
        "weight": policy.weight,
        "frames": policy.frames,
        "method": policy.method,
        "shallow": policy.making.shallow,
        "alternate": read_settings(connection).get(ALTERNATE) or "none",
        "beside": beside(connection) or "none",
        "keep-history": history_days(connection) or "for ever",
        "MVM_INCLUDE_SMALL": policy.include_small,
        "MVM_ONLY_CTE": policy.only_cte,
        "schema": REVISION,
    }


def read_settings(connection: sa.Connection) -> dict[str, str]:
    """Everything that the table `archive` holds, but for what is no text, which only SQL by hand puts there."""
    readable = sa.not_(has_impossible(connection.dialect.name, t.archive))
    query = sa.select(t.archive.c.key, t.archive.c.value).where(readable)
    return {key: value for key, value in connection.execute(query)}


def write_settings(connection: sa.Connection, settings: Mapping[str, str]) -> None:
    """Record settings; changes of what a user can set are in the history."""
    before = read_settings(connection)
    changed = {key: settings[key] for key in CONFIGURATION if key in settings and settings[key] != before.get(key)}
    write_events(
        connection,
        [
            Event(Happened.CONFIGURED, detail=f"{key}: {before.get(key, 'not set')} -> {value}")
            for key, value in changed.items()
        ],
    )
    upsert(connection, t.archive, ("key",), [{"key": key, "value": value} for key, value in settings.items()])
