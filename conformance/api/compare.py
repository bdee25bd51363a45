"""Checks that what mvmdb takes for drizzlepac's API and parameters is what drizzlepac has; runs in its environment.

Compared are the parameters and defaults of the functions and classes that `mvmdb.compat` has, the attributes of a sky
cell and a projection cell, the keys of all sets of drizzle parameters, and the recipe that each set means with the one
that mvmdb chooses. Run from the repository's root by `make conformance-api`; exits with the number of differences.
"""

from __future__ import annotations

import importlib
import inspect
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import drizzlepac
from drizzlepac.haputils.cell_utils import SkyCell
from drizzlepacfacts import ATTRIBUTES, MODULES, PARAMETERS

from mvmdb.errors import InputError
from mvmdb.layers.recipes import choose_recipe
from mvmdb.parameters.astrodrizzle import APPLIED, REQUIRED, WITHOUT_EFFECT, read_astrodrizzle

SETS = Path(drizzlepac.__file__).parent / "pars/hap_pars/mvm_parameters"
DEPTHS = {"n1": 1, "n2": 2, "n6": 6}
KNOWN = {
    "acs_sbc_astrodrizzle_any_n2.json: good_bits is 4096; mvmdb chooses 0",
    "acs_sbc_astrodrizzle_blue_n2.json: skystat is 'mean'; expected 'median', the only one of mvmdb",
    "acs_sbc_astrodrizzle_blue_n6.json: skystat is 'mean'; expected 'median', the only one of mvmdb",
}
"""mvmdb matches no sky of ACS/SBC, as the documentation of MVM says, and never clears the bit 4096 before a drizzle."""
FILTERS = {"any": "f555w", "blue": "f115lp"}


def main() -> int:
    """Print all differences, and return their number."""
    print(f"drizzlepac {version('drizzlepac')}")
    found = {*compare_signatures(), *compare_attributes(), *compare_keys(), *compare_recipes()}
    print(*(f"known: {difference}" for difference in sorted(found & KNOWN)), sep="\n")
    other = sorted(found ^ KNOWN)
    print("\n".join(f"unexpected, or no longer there: {difference}" for difference in other) or "as expected")
    return len(other)


def compare_signatures() -> Iterator[str]:
    """Differences between the facts and drizzlepac's own parameters and defaults."""
    for name, expected in PARAMETERS.items():
        value: Any = importlib.import_module(MODULES[name.split(".")[0]])
        for part in name.split("."):
            value = getattr(value, part)
        found = {p.name: p.default for p in inspect.signature(value).parameters.values()}
        if list(found.items()) != list(expected.items()):
            yield f"{name}: drizzlepac has {found}; expected {dict(expected)}"


def compare_attributes() -> Iterator[str]:
    """Differences between the facts and the attributes of drizzlepac's cells."""
    cell = SkyCell.from_name("skycell-p0726x10y04")
    for value in (cell, cell.projection_cell):
        name = type(value).__name__
        if differ := set(vars(value)) ^ set(ATTRIBUTES[name]):
            yield f"{name}: {', '.join(sorted(differ))} on one side only"


def compare_keys() -> Iterator[str]:
    """Keys of drizzlepac's sets that mvmdb does not know, and the other way round."""
    known = {*APPLIED, *REQUIRED, *WITHOUT_EFFECT}
    found = {key for path in SETS.rglob("*astrodrizzle*.json") for key in list_keys(json.loads(path.read_text()))}
    for key in sorted(found ^ known):
        yield f"the parameter {key} is on one side only"


def list_keys(section: dict[str, Any]) -> Iterator[str]:
    """The keys of a section and its groups, without the groups' names."""
    for key, value in section.items():
        if isinstance(value, dict):
            yield from list_keys(value)
        else:
            yield key


def compare_recipes() -> Iterator[str]:
    """Sets for a detector and depth that mean another recipe than the one that mvmdb chooses."""
    for path in sorted(SETS.glob("*/*/*_astrodrizzle_*_n*.json")):
        instrument, detector, _, filters, depth = path.stem.split("_")
        # drizzlepac takes the same set for all detectors at depth 1: `any_astrodrizzle_n1.json` or a copy of it
        recipe = choose_recipe(instrument, detector, FILTERS[filters], "fine", DEPTHS[depth])
        try:
            values = read_astrodrizzle(path.name, json.loads(path.read_text()))
        except InputError as error:
            yield str(error)
            continue
        ours = asdict(recipe)
        if not ours["sky_match"]:
            values = {name: value for name, value in values.items() if not name.startswith("sky_")}
        for name, value in values.items():
            if value != ours[name]:
                yield f"{path.name}: {name} is {value!r}; mvmdb chooses {ours[name]!r}"


if __name__ == "__main__":
    sys.exit(main())
