"""Reads and writes files of drizzle parameters: TOML with mvmdb's names, JSON with drizzlepac's."""

from __future__ import annotations

import json
import logging
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from mvmdb.atomic import replace_file
from mvmdb.errors import InputError
from mvmdb.inputs import read_named, read_text
from mvmdb.names import parse_layer_name
from mvmdb.parameters.astrodrizzle import read_astrodrizzle, write_astrodrizzle
from mvmdb.parameters.values import Parameters, check_layer, check_values
from mvmdb.recipe import Recipe

log = logging.getLogger(__name__)

Section = Literal["parameters", "default_values"]
SECTIONS: tuple[Section, ...] = ("parameters", "default_values")
STEPS = ("alignment", "astrodrizzle", "catalog generation", "quality control")
_EXPOSURE = re.compile(r"(?:coarse-)?all-[a-z0-9]{8}")
"""The label of the entry that drizzlepac writes for each exposure of a layer."""
LARGEST = 16_000_000
"""The most bytes of a file: ten thousand layers with all of drizzlepac's parameters."""


def read_parameters(path: str | os.PathLike[str], section: Section | None = None) -> Parameters:
    """The parameters in a file `*.toml` or `*.json`.

    A TOML file has fields of `Recipe` for all layers, and tables `[layers.<name>]` for single ones. A JSON file is as
    drizzlepac writes it (`output_custom_pars_file`): an object for each layer with two sections, of which `section` is
    read (None: they must agree in what enters a recipe).

    Raises InputError if the file cannot be read, and for parameters and values that mvmdb does not have.
    """
    kind = Path(path).suffix.lower()
    if kind not in (".toml", ".json"):
        raise InputError(f"{path} is neither TOML nor JSON by its name; expected *.toml, or drizzlepac's *.json")
    text = read_named(path, "the parameters", "a file *.toml or *.json", LARGEST)
    try:
        content = tomllib.loads(text) if kind == ".toml" else json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is not {kind[1:].upper()}: {error}; mend it") from error
    return _read_toml(str(path), content) if kind == ".toml" else _read_json(str(path), content, section)


def write_parameters(path: str | os.PathLike[str], recipes: Mapping[str, Recipe]) -> None:
    """Write the recipes of layers (by name) in drizzlepac's JSON, with the keys that enter a recipe.

    Layers that the file has already and that are not among these stay, as in drizzlepac. Raises InputError if the file
    cannot be written, or is there and is not JSON.
    """
    entries: dict[str, Any] = {}
    if Path(path).exists():
        try:
            entries = json.loads(read_text(path, LARGEST))
        except (OSError, ValueError, RecursionError) as error:
            raise InputError(f"{path} is there and is not JSON ({error}); give another name") from error
        if not isinstance(entries, dict):
            raise InputError(f"{path} is there and holds no layers; give another name")
    for layer, recipe in sorted(recipes.items()):
        steps = {"astrodrizzle": write_astrodrizzle(recipe)}
        entries[layer] = dict.fromkeys(SECTIONS, steps)
    content = (json.dumps(entries, indent=4) + "\n").encode()
    try:
        replace_file(Path(path), lambda file: file.write(content))
    except OSError as error:
        raise InputError(
            f"the parameters {path} cannot be written ({error.strerror}); expected a folder that can be written to"
        ) from error


def _read_toml(path: str, content: Mapping[str, Any]) -> Parameters:
    every = {name: value for name, value in content.items() if name != "layers"}
    layers = content.get("layers", {})
    if not (isinstance(layers, dict) and all(isinstance(table, dict) for table in layers.values())):
        raise InputError(f"{path}: layers is no table of tables; expected [layers.<name of a layer>]")
    by_layer = {check_layer(path, name): check_values(f"{path}, {name}", table) for name, table in layers.items()}
    return Parameters(path, check_values(path, every), by_layer)


def _read_json(path: str, content: Any, section: Section | None) -> Parameters:
    if not isinstance(content, dict) or not content:
        raise InputError(
            f"{path} holds no layers; expected an object for each, as drizzlepac writes it (output_custom_pars_file)"
        )
    by_layer = {}
    for name, entry in content.items():
        layer = check_layer(path, name)
        if _EXPOSURE.fullmatch(parse_layer_name(layer).label):
            log.info("%s: the entry of exposure %s has no effect: it gets no mosaic of its own", path, name)
            continue
        by_layer[layer] = _read_entry(f"{path}, {name}", entry, section)
    if not by_layer:
        raise InputError(f"{path} names no layer; expected names like hst_skycell-p1889x07y19_wfc3_ir_f125w_coarse-all")
    return Parameters(path, {}, by_layer, complete=True)


def _read_entry(where: str, entry: Any, section: Section | None) -> dict[str, Any]:
    if not (isinstance(entry, dict) and entry.keys() <= set(SECTIONS) and entry):
        raise InputError(f"{where}: expected the sections {' and '.join(SECTIONS)} alone")
    found = {name: _read_section(f"{where}, {name}", steps) for name, steps in entry.items()}
    if section is not None:
        if section not in found:
            raise InputError(f"{where}: the section {section} is missing; add it")
        others = [name for name in found if found[name] != found[section]]
        if others:
            log.warning("%s: %s differs from %s, which is read", where, others[0], section)
        return found[section]
    first, *rest = found.values()
    if any(other != first for other in rest):
        raise InputError(
            f"{where}: {' and '.join(found)} differ; expected the same values: "
            "drizzlepac reads default_values, unless told use_defaults_configs=False; remove one of them"
        )
    return first


def _read_section(where: str, steps: Any) -> dict[str, Any]:
    if not isinstance(steps, dict) or not isinstance(steps.get("astrodrizzle"), dict):
        raise InputError(f"{where}: the step astrodrizzle is missing; expected an object of its parameters")
    unknown = sorted(steps.keys() - set(STEPS))
    if unknown:
        raise InputError(f"{where}: there is no step {', '.join(unknown)}; expected {', '.join(STEPS)}")
    return read_astrodrizzle(where, steps["astrodrizzle"])
