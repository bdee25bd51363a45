"""What explanations say of the flux of exposures and layers: PHOTFLAM, and the scale of each member."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from mvmdb.photometry import SAME, choose_reference
from mvmdb.recipe import Recipe
from mvmdb.schema import tables as t

_MOST_NAMED = 20


def describe_flux(connection: sa.Connection, layer: Any, recipe: str, product: Any) -> list[str]:
    """Lines about a layer (its key) whose members differ in PHOTFLAM: by how much, and how its product has them.

    `recipe` is as JSON, `product` the row of its product or None. There are no lines where nothing differs.
    """
    e = t.exposure.c
    query = sa.select(e.ipppssoo, e.photflam, e.photometry).select_from(t.layer_member.join(t.exposure))
    rows = connection.execute(query.where(t.layer_member.c.layer_id == layer).order_by(e.ipppssoo)).all()
    known = [row.photflam for row in rows if row.photflam is not None]
    lines = []
    if known and max(known) > min(known) * (1.0 + SAME):
        words = f"PHOTFLAM of its members differs by {100 * (max(known) / min(known) - 1):.3g}%"
        span = f"{min(known):.7g} to {max(known):.7g} erg/cm2/Angstrom/electron"
        lines.append(f"{words}, {span}: {_what_becomes_of_it(recipe, rows)}.")
    without = [row.ipppssoo for row in rows if row.photometry is not None and row.photflam is None]
    if without and known:
        lines.append(f"No PHOTFLAM have {_listed(without)}: their electrons are taken as those of the others.")
    return lines + ([] if product is None else _scaled_lines(connection, product.id))


def _what_becomes_of_it(recipe: str, rows: Any) -> str:
    if Recipe.from_json(recipe).method == "hap":
        return "they are not scaled to each other by the method hap, and the mosaic's is that of the first"
    reference = choose_reference({row.ipppssoo: row.photometry or "" for row in rows})
    return f"they are scaled to that of {reference}"


def _scaled_lines(connection: sa.Connection, product: int) -> list[str]:
    m = t.product_member.c
    query = sa.select(m.ipppssoo, m.photscale).where(m.product_id == product, m.photscale != 1.0).order_by(m.ipppssoo)
    scaled = [f"{name} by {scale:.6g}" for name, scale in connection.execute(query)]
    return [f"In its product members are scaled: {_listed(scaled)}."] if scaled else []


def _listed(words: list[str]) -> str:
    if len(words) <= _MOST_NAMED:
        return ", ".join(words)
    return f"{', '.join(words[:_MOST_NAMED])}, and {len(words) - _MOST_NAMED} more"


def describe_exposure_flux(row: Any) -> str:
    """What an exposure's row says of its photometry, in a line."""
    if row.photometry is None:
        return "Its photometry is not recorded: it is when its file is ingested or drizzled again."
    if row.photflam is None:
        return "It has no PHOTFLAM above 0, so that it cannot be scaled."
    mode = f", PHOTMODE {row.photmode}" if row.photmode else ""
    return f"PHOTFLAM {row.photflam:.7g} erg/cm2/Angstrom/electron{mode}."
