"""Finds the column of each field, by ObsCore's names, MAST's or the user's own; values.py reads the values.

Names are compared without regard to case. If a table has several columns for one field, the first in the list wins.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mvmdb.errors import InputError, UsageError

KNOWN: Mapping[str, tuple[str, ...]] = {
    "name": (
        "rootname", "ipppssoo", "obs_id", "dataset", "sci_data_set_name", "observation_id", "filename",
        "productfilename", "obs_publisher_did", "name",
    ),
    "filename": ("filename", "productfilename"),
    "kind": ("kind",),
    "instrument": ("instrument_name", "instrument", "instrume", "sci_instrume"),
    "detector": ("detector",),
    "filters": ("filters", "filters/gratings", "filter", "sci_spec_1234"),
    "exptime": ("t_exptime", "exptime", "exp time", "sci_actual_duration"),
    "expstart": ("t_min", "expstart", "start time", "sci_start_time"),
    "expend": ("t_max", "expend", "stop time", "sci_stop_time"),
    "region": ("s_region", "region", "stcs"),
    "ra": ("ra_aper", "s_ra", "ra (j2000)", "sci_ra", "ra"),
    "dec": ("dec_aper", "s_dec", "dec (j2000)", "sci_dec", "dec"),
    "pa_v3": ("pa_v3", "v3 pos angle", "sci_pa_v3"),
    "aperture": ("aperture", "apertures", "sci_aper_1234"),
    "proposal_id": ("proposal_id", "proposal id", "proposid", "sci_pep_id"),
    "target": ("target_name", "target name", "target", "targname", "sci_targname"),
    "product_type": ("dataproduct_type", "obstype"),
    "intent": ("intenttype",),
    "moving": ("mtflag", "moving_target"),
    "collection": ("obs_collection",),
}  # fmt: skip
"""mvmdb's fields, and the column names accepted for each: ObsCore 1.1, MAST CAOM, the archive's HST search."""

_NEEDED = ("name", "instrument", "filters", "exptime")
POINTING = ("ra", "dec", "pa_v3", "aperture")


def find_columns(names: Sequence[str], mapping: Mapping[str, str], table: str) -> dict[str, int]:
    """The position of each field's column; fields that the table does not have are left out.

    `mapping` gives columns for fields that are named otherwise, and takes precedence. Raises UsageError for a mapping
    of a field or column that does not exist, InputError if a field that every exposure needs has no column.
    """
    by_name: dict[str, int] = {}
    for position, name in enumerate(names):
        by_name.setdefault(name.strip().lower(), position)
    positions = _follow_mapping(by_name, mapping, names, table)
    for field, synonyms in KNOWN.items():
        first = next((by_name[name] for name in synonyms if name in by_name), None)
        if field not in positions and first is not None:
            positions[field] = first
    missing = [field for field in _NEEDED if field not in positions]
    if missing:
        raise InputError(
            f"{table} has no column for {', '.join(missing)}: its columns are {_shorten(names)}; name it with "
            f"--map {missing[0]}=COLUMN"
        )
    if "region" not in positions and not all(field in positions for field in POINTING):
        without = ", ".join(field for field in POINTING if field not in positions)
        raise InputError(
            f"{table} has no column for region, and none for {without}: its columns are {_shorten(names)}; expected "
            "s_region, or ra, dec, pa_v3 and aperture; name it with --map region=COLUMN"
        )
    return positions


def _follow_mapping(
    by_name: Mapping[str, int], mapping: Mapping[str, str], names: Sequence[str], table: str
) -> dict[str, int]:
    positions = {}
    for field, column in mapping.items():
        if field not in KNOWN:
            raise UsageError(f"--map {field}={column}: there is no field {field!r}; expected one of {', '.join(KNOWN)}")
        if column.strip().lower() not in by_name:
            raise UsageError(f"--map {field}={column}: {table} has no such column; it has {_shorten(names)}")
        positions[field] = by_name[column.strip().lower()]
    return positions


def _shorten(names: Sequence[str]) -> str:
    return ", ".join(names[:40]) + (f" and {len(names) - 40} more" if len(names) > 40 else "")
