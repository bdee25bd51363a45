"""Which exposures take part in a solution of skies: those that layers which match skies are made of."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

import sqlalchemy as sa

from mvmdb.names import ObsMode
from mvmdb.recipe import Recipe
from mvmdb.records import MemberInput
from mvmdb.schema import tables as t
from mvmdb.schema.engine import among

_OBSMODE = ("instrument", "detector", "filter")


@dataclass(frozen=True, slots=True)
class Participant:
    """An exposure that takes part: its row's key, its file, its footprint, its digest as a member, its photometry."""

    id: int
    member: MemberInput
    s_region: str
    member_digest: str
    photometry: str = ""


@dataclass(slots=True)
class Participants:
    """The exposures of one obsmode in sky cells that exposures connect, by ipppssoo.

    `cells` lists them by sky cell (key). `seeds` are those of the layers that were asked for. `recipe` has the settings
    by which skies are measured, which are the same in all layers of the obsmode.
    """

    obsmode: ObsMode
    recipe: Recipe
    exposures: dict[str, Participant] = field(default_factory=dict)
    cells: dict[int, list[str]] = field(default_factory=dict)
    seeds: set[str] = field(default_factory=set)


def find_obsmodes(connection: sa.Connection, layers: Iterable[str]) -> dict[ObsMode, list[str]]:
    """Those of these layers (names) that take their skies from the solution, by obsmode; both are sorted."""
    recipes = _matching_recipes(connection)
    if not recipes:
        return {}
    layer = t.layer.c
    columns = [*(layer[name] for name in _OBSMODE), layer.name]
    query = sa.select(*columns).where(among(connection, layer.name, list(layers)), layer.recipe_id.in_(recipes))
    found: dict[ObsMode, list[str]] = {}
    for instrument, detector, filter_name, name in connection.execute(query.order_by(*columns)):
        found.setdefault((instrument, detector, filter_name), []).append(name)
    return found


def load_participants(connection: sa.Connection, obsmode: ObsMode, layers: Sequence[str]) -> Participants | None:
    """The participants of an obsmode, for those of these of its layers (names) that take their skies from the solution.

    Sky cells are followed from exposure to exposure, so that whole components are among them. Exposures that have no
    file do not take part. None if no layer takes its skies from the solution.
    """
    recipes = _matching_recipes(connection)
    layer, e, m = t.layer.c, t.exposure.c, t.layer_member.c
    query = sa.select(layer.id, layer.skycell_id, layer.recipe_id).where(among(connection, layer.name, layers))
    rows = connection.execute(query.where(layer.recipe_id.in_(recipes)).order_by(layer.name)).all()
    if not rows:
        return None
    participants = Participants(obsmode, recipes[rows[0].recipe_id])
    _follow(connection, participants, {row.skycell_id for row in rows}, list(recipes))
    seeds = sa.select(e.ipppssoo).join(t.layer_member, m.exposure_id == e.id)
    names = connection.scalars(seeds.where(among(connection, m.layer_id, [row.id for row in rows])))
    participants.seeds = set(names) & participants.exposures.keys()
    return participants


def _matching_recipes(connection: sa.Connection) -> dict[int, Recipe]:
    """The few recipes whose layers take their skies from the solution, by key."""
    recipes = {}
    for key, text in connection.execute(sa.select(t.recipe.c.id, t.recipe.c.parameters)):
        recipe = Recipe.from_json(text)
        if recipe.takes_solved_skies:
            recipes[key] = recipe
    return recipes


def _follow(
    connection: sa.Connection, participants: Participants, cells: Collection[int], recipes: Collection[int]
) -> None:
    """Add the exposures of these sky cells, of the other cells that they are in, and so on."""
    e, layer = t.exposure.c, t.layer.c
    source = t.layer.join(t.layer_member).join(t.exposure)
    obsmode = [layer[name] == value for name, value in zip(_OBSMODE, participants.obsmode, strict=True)]
    wanted = sa.and_(*obsmode, layer.recipe_id.in_(recipes), e.path != "")
    columns = ("ipppssoo", "path", "pixels", "pixel_digest", "member_wcs", "alternate", "s_region", "member_digest",
               "photometry")  # fmt: skip
    while cells:
        query = sa.select(layer.skycell_id, e.id, *(e[name] for name in columns)).select_from(source)
        rows = connection.execute(
            query.where(wanted, among(connection, layer.skycell_id, sorted(cells))).distinct().order_by(e.ipppssoo)
        )
        participants.cells.update((cell, []) for cell in cells)
        new = []
        for row in rows:
            participants.cells[row.skycell_id].append(row.ipppssoo)
            if row.ipppssoo not in participants.exposures:
                member = MemberInput(
                    row.ipppssoo, row.path, row.pixels, row.pixel_digest, row.member_wcs, "", alternate=row.alternate
                )
                participants.exposures[row.ipppssoo] = Participant(
                    row.id, member, row.s_region, row.member_digest, row.photometry or ""
                )
                new.append(row.id)
        others = sa.select(layer.skycell_id).select_from(source).where(wanted, among(connection, e.id, new)).distinct()
        cells = set(connection.scalars(others)) - participants.cells.keys()
