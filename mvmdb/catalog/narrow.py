"""Which exposures and layers a command is narrowed to, by program, filter and sky cell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import sqlalchemy as sa

from mvmdb.catalog.ask.cells import near
from mvmdb.errors import UsageError
from mvmdb.names import parse_layer_name
from mvmdb.records import Exposure, Rule
from mvmdb.schema import tables as t
from mvmdb.sky.membership import match_each_region


@dataclass(frozen=True, slots=True)
class Narrowing:
    """What a command is to work on: everything, if nothing is given; else what meets each condition that is given.

    `programs` are proposal numbers or the three characters of root names, `filters` those of layers, `cells` the keys
    of sky cells. An exposure meets `cells` if it is a member of one of them.
    """

    programs: tuple[str, ...] = ()
    filters: tuple[str, ...] = ()
    cells: tuple[int, ...] | None = None

    @property
    def is_everything(self) -> bool:
        """Whether nothing is left out."""
        return not self.programs and not self.filters and self.cells is None

    def takes(self, exposures: Sequence[Exposure], rule: Rule) -> list[bool]:
        """Which of these exposures, as read from files, meet all conditions."""
        taken = [self._meets(exposure) for exposure in exposures]
        if self.cells is None:
            return taken
        memberships, _ = match_each_region([exposure.s_region for exposure in exposures], rule)
        inside = set(memberships.exposure[np.isin(memberships.cell_index, self.cells)].tolist())
        return [met and number in inside for number, met in enumerate(taken)]

    def _meets(self, exposure: Exposure) -> bool:
        filters = {name.lower() for name in self.filters}
        programs = {program.upper() for program in self.programs}
        of_program = not programs or bool({str(exposure.proposal_id), exposure.program.upper()} & programs)
        return of_program and (not filters or exposure.filter.lower() in filters)


EVERYTHING = Narrowing()


@dataclass(frozen=True, slots=True)
class ChosenLayers:
    """The names of layers that a command is narrowed to: those that are expected, and those with a product."""

    expected: frozenset[str]
    made: frozenset[str]

    def __contains__(self, name: str) -> bool:
        return name in self.expected or name in self.made


def choose_layers(connection: sa.Connection, narrowing: Narrowing) -> ChosenLayers | None:
    """The layers, in any sky cell, that meet the conditions on program and filter; None if there are none.

    A layer is of a program if it holds or should hold an exposure of it.
    """
    if not narrowing.programs and not narrowing.filters:
        return None
    expected, made = sa.select(t.layer.c.name), sa.select(t.product.c.layer)
    if narrowing.programs:
        of_program = sa.or_(*map(program_condition, narrowing.programs))
        member = t.layer_member.join(t.exposure)
        with_member = sa.select(t.layer_member.c.layer_id).select_from(member).where(of_program)
        expected = expected.where(t.layer.c.id.in_(with_member))
        names = sa.select(t.exposure.c.ipppssoo).where(of_program)
        holding = sa.select(t.product_member.c.product_id).where(t.product_member.c.ipppssoo.in_(names))
        made = made.where(t.product.c.id.in_(holding))
    filters = {name.lower() for name in narrowing.filters}

    def is_chosen(layer: str) -> bool:
        return not filters or parse_layer_name(layer).filter.lower() in filters

    return ChosenLayers(*(frozenset(filter(is_chosen, connection.scalars(query))) for query in (expected, made)))


def require_known(connection: sa.Connection, narrowing: Narrowing) -> None:
    """Raise UsageError for a filter or a program of which the catalog has no exposure."""
    x = t.exposure.c
    filters = {str(name).lower() for name in connection.scalars(sa.select(x.filter).distinct())}
    for name in narrowing.filters:
        if name.lower() not in filters:
            raise UsageError(f"no exposure of this catalog has the filter {name}{near(name.lower(), filters)}")
    for program in narrowing.programs:
        if connection.scalar(sa.select(x.id).where(program_condition(program)).limit(1)) is None:
            known = map(str, connection.scalars(sa.select(x.proposal_id).distinct()))
            raise UsageError(f"no exposure of this catalog is of the program {program}{near(program, known)}")


def exposure_condition(narrowing: Narrowing) -> sa.ColumnElement[bool]:
    """Whether a catalogued exposure meets all conditions."""
    x = t.exposure.c
    conditions: list[sa.ColumnElement[bool]] = [sa.true()]
    if narrowing.programs:
        conditions.append(sa.or_(*map(program_condition, narrowing.programs)))
    if narrowing.filters:
        conditions.append(sa.func.lower(x.filter).in_([name.lower() for name in narrowing.filters]))
    if narrowing.cells is not None:
        m = t.membership.c
        conditions.append(x.id.in_(sa.select(m.exposure_id).where(m.skycell_id.in_(narrowing.cells))))
    return sa.and_(*conditions)


def program_condition(program: str) -> sa.ColumnElement[bool]:
    """Whether an exposure is of a program, given by its number or by its three characters in root names."""
    if program.isdecimal() and len(program) > 3:
        return t.exposure.c.proposal_id == int(program)
    return t.exposure.c.program == program.upper()
