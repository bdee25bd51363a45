"""Which drizzle parameters a user may set, to which values, and the recipe that a layer then has."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, get_args

from mvmdb.errors import InputError, NameFormatError
from mvmdb.names import parse_layer_name
from mvmdb.recipe import Recipe, Weight, with_sky_units

KERNELS = ("square", "point", "turbo")
"""Those that reach no further than the pixel itself: mosaics are made of squares that must not touch beyond that."""
MOST_BITS = 65535
SETTABLE = (
    "sky_match", "good_bits", "sky_good_bits", "sky_clips", "sky_sigma", "sky_lower", "kernel", "pixfrac", "weight",
)  # fmt: skip
"""The fields of `Recipe` that may be set: the others follow from the layer and the archive's configuration."""
_BITS = re.compile(r"\d+(?:[,+]\d+)*")


@dataclass(frozen=True, slots=True)
class Parameters:
    """Values of fields of `Recipe`, from the file `source`.

    `every`: for all layers. `by_layer`: for layers by name, which go before those for all. If the file is `complete`,
    it must name each layer that is made from it, as drizzlepac's must.
    """

    source: str
    every: Mapping[str, Any]
    by_layer: Mapping[str, Mapping[str, Any]]
    complete: bool = False

    def adjust(self, layer: str, recipe: Recipe) -> Recipe:
        """The recipe of a layer (name) with the values of the file.

        Raises InputError if the file must name the layer and does not.
        """
        if self.complete and layer not in self.by_layer:
            raise InputError(
                f"{self.source} has no parameters for {layer}; expected each layer of the poller, as drizzlepac does; "
                "add it, or give a TOML file, whose values are for all layers"
            )
        changes = {**self.every, **self.by_layer.get(layer, {})}
        if not changes.get("sky_match", recipe.sky_match):  # without effect, and would give equal mosaics other digests
            changes = {name: value for name, value in changes.items() if name not in _SKY_FIELDS}
        return with_sky_units(replace(recipe, **changes), parse_layer_name(layer).instrument)

    def unmatched(self, layers: set[str]) -> list[str]:
        """The layers that the file names in the sky cells of `layers`, and that are not among these, sorted."""
        cells = {parse_layer_name(layer).skycell for layer in layers}
        return sorted(name for name in self.by_layer if name not in layers and parse_layer_name(name).skycell in cells)


_SKY_FIELDS = {field.name for field in fields(Recipe) if field.name.startswith("sky_")} - {"sky_match"}


def check_values(where: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """The values, of the types that `Recipe` has. Raises InputError, which begins with `where`, for any other."""
    unknown = sorted(given.keys() - set(SETTABLE))
    if unknown:
        raise InputError(f"{where}: there is no parameter {', '.join(unknown)}; expected any of {', '.join(SETTABLE)}")
    return {name: _check(where, name, value) for name, value in given.items()}


def check_layer(where: str, name: str) -> str:
    """The name of a layer as mvmdb writes it. Raises InputError, which begins with `where`, for another text."""
    try:
        return str(parse_layer_name(name))
    except NameFormatError as error:
        raise InputError(f"{where}: {error}") from error


def read_bits(where: str, name: str, value: object) -> int:
    """DQ bits as one number, from a number, a list of numbers, or a text like `16,64` or `16+64`.

    Raises InputError, which begins with `where`, for any other value.
    """
    parts: list[Any] = [value]
    if isinstance(value, str) and _BITS.fullmatch(value.replace(" ", "")):
        parts = [int(part) for part in re.split("[,+]", value.replace(" ", ""))]
    elif isinstance(value, list):
        parts = value
    if not all(type(part) is int and 0 <= part <= MOST_BITS for part in parts):
        raise InputError(
            f"{where}: {name} is {value!r}; expected DQ bits that do not make a pixel bad, like 80, or 16,64"
        )
    bits = 0
    for part in parts:
        bits |= part
    return bits


def _check(where: str, name: str, value: Any) -> Any:
    if name in ("good_bits", "sky_good_bits"):
        return read_bits(where, name, value)
    number = value if isinstance(value, (int, float)) and not isinstance(value, bool) else math.nan
    finite = math.isfinite(number)
    good, expected = {
        "sky_match": (isinstance(value, bool), "true or false"),
        "sky_clips": (type(value) is int and 0 <= value <= 100, "a whole number, 0 to 100"),
        "sky_sigma": (finite and number > 0, "a number above 0"),
        "sky_lower": (finite, "a number, in the units of the exposures"),
        "weight": (value in get_args(Weight), "exptime or ivm: exposure time, or inverse variance of the background"),
        "kernel": (value in KERNELS, f"any of {', '.join(KERNELS)}: the others reach beyond a square of the mosaic"),
        "pixfrac": (finite and 0 < number <= 1, "a number above 0, at most 1"),
    }[name]
    if not good:
        raise InputError(f"{where}: {name} is {value!r}; expected {expected}")
    return float(value) if name in ("sky_sigma", "sky_lower", "pixfrac") else value
