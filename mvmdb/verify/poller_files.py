"""Whether poller files can be read and say what the catalog says."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from mvmdb.catalog.ask.members import load_layer_exposures
from mvmdb.catalog.check.finding import Damage, Finding
from mvmdb.catalog.due_pollers import load_due
from mvmdb.catalog.open import Begin
from mvmdb.errors import InputError
from mvmdb.names import CellId
from mvmdb.pollers.files import Poller, PollerRow, format_planned_name, format_poller_name, read_poller
from mvmdb.pollers.write import basic_names, rows_of_plan
from mvmdb.reconcile.planning import look_ahead
from mvmdb.records import Mark, Policy

_MARKS: tuple[Mark, ...] = ("layer", "exposure")


def load_behind(begin: Begin) -> set[int] | None:
    """The sky cells (keys) whose poller files may be behind; None for all, where the record of them cannot be read."""
    try:
        with begin() as connection:
            return load_due(connection)
    except ValueError:  # another finding tells of it
        return None


def check_pollers(
    begin: Begin, products: Path, policy: Policy, cells: Sequence[int], due: Collection[int] | None
) -> list[Finding]:
    """The findings in the poller files of these sky cells (keys), of those that have one.

    Where the catalog knows that a poller file is behind, as after an ingest, the file must merely be readable: in the
    sky cells (keys) that are `due`, or in all (None).
    """
    names = {cell: str(CellId.from_index(cell)) for cell in cells}
    paths = {cell: products / name / format_poller_name(name) for cell, name in names.items()}
    paths = {cell: path for cell, path in paths.items() if os.path.exists(path)}
    findings = _check_plans(products, names)
    if not paths:
        return findings
    read: dict[int, Poller] = {}
    for cell, path in paths.items():
        try:
            read[cell] = read_poller(path)
        except InputError as error:
            findings.append(_of(path, str(error), "a poller file"))
    current = [] if due is None else sorted(read.keys() - set(due))
    plan = look_ahead(begin, None, policy, cells=current).plan
    with begin() as connection:
        exposures = load_layer_exposures(connection, current)
    expected = [rows_of_plan(exposures, plan, mark) for mark in _MARKS]
    for cell in current:
        rows = [tuple(some.get(names[cell], ())) for some in expected]
        if read[cell].form == "basic":
            wanted = {frozenset(basic_names(some)) for some in rows}
            if frozenset(read[cell].filenames) in wanted:
                continue
        elif read[cell].rows in rows:
            continue
        findings.append(_of(paths[cell], _describe(read[cell]), _count(rows[0])))
    return findings


def _check_plans(products: Path, names: Mapping[int, str]) -> list[Finding]:
    """The findings in the files of planned work: each must be readable, and of its sky cell."""
    findings = []
    for name in names.values():
        path, found = products / name / format_planned_name(name), ""
        if not os.path.lexists(path):
            continue
        try:
            others = {row.skycell for row in read_poller(path).rows} - {name}
        except InputError as error:
            found = str(error)
        else:
            found = f"rows of {', '.join(sorted(others)[:3])}" if others else ""
        if found:
            words = (found, f"the planned work of {name}")
            findings.append(Finding(Damage.PLAN_WRONG, skycell=name, path=str(path), found=words[0], expected=words[1]))
    return findings


def _of(path: Path, found: str, expected: str) -> Finding:
    return Finding(Damage.POLLER_WRONG, skycell=path.parent.name, path=str(path), found=found, expected=expected)


def _describe(poller: Poller) -> str:
    return _count(poller.rows) if poller.form == "full" else f"{len(poller.filenames)} names"


def _count(rows: Sequence[PollerRow]) -> str:
    new = sum(row.flag == "NEW" for row in rows)
    return f"{len(rows)} rows, {new} of them NEW" if rows else "no poller file: no layer has a member with a file"
