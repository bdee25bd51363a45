"""The signatures and attributes of drizzlepac 3.11, as facts; `make conformance-api` compares these with drizzlepac."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import pytest
from drizzlepacfacts import ATTRIBUTES, DIFFERENT, PARAMETERS

import mvmdb
from mvmdb import compat


def parameters_of(function: Callable[..., Any]) -> dict[str, Any]:
    """The parameters that may be given by position, and their defaults, in order."""
    positional = [p for p in inspect.signature(function).parameters.values() if p.kind is p.POSITIONAL_OR_KEYWORD]
    return {parameter.name: parameter.default for parameter in positional}


def find(name: str) -> Callable[..., Any]:
    value: Any = compat
    for part in name.split("."):
        value = getattr(value, part)
    assert callable(value)
    return value


@pytest.mark.parametrize("name", PARAMETERS)
def test_parameters_are_those_of_drizzlepac_in_the_same_order_with_the_same_defaults(name: str) -> None:
    ours, theirs = parameters_of(find(name)), dict(PARAMETERS[name])
    assert list(ours) == list(theirs)
    different = {key: value for key, value in ours.items() if repr(value) != repr(theirs[key])}
    assert different == DIFFERENT.get(name, {})


@pytest.mark.parametrize("name", sorted(set(PARAMETERS) & {"run_mvm_processing"}))
def test_parameters_of_mvmdb_alone_have_defaults_and_are_given_by_name(name: str) -> None:
    own = [p for p in inspect.signature(find(name)).parameters.values() if p.kind is not p.POSITIONAL_OR_KEYWORD]
    assert own
    assert all(p.kind is p.KEYWORD_ONLY and p.default is not p.empty for p in own)


def test_cells_have_the_attributes_of_drizzlepac() -> None:
    cell = mvmdb.SkyCell.from_name("skycell-p0726x10y04")
    for name, value in (("SkyCell", cell), ("ProjectionCell", cell.projection_cell)):
        missing = [attribute for attribute in ATTRIBUTES[name] if not hasattr(value, attribute)]
        assert missing == [], name
