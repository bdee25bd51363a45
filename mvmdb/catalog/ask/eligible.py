"""The eligible exposures of sky cells as a mosaic needs them, and skies from a product with the same members."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace

import sqlalchemy as sa

from mvmdb.catalog.ask.cells import near
from mvmdb.catalog.ask.search.question import filter_names
from mvmdb.catalog.layers.recorded import as_placed, place_of
from mvmdb.errors import UsageError
from mvmdb.names import CellId
from mvmdb.records import CellExposure
from mvmdb.schema import tables as t
from mvmdb.schema.views import own_sky


def load_eligible_exposures(
    connection: sa.Connection,
    cells: Sequence[CellId],
    place: str,
    filters: Sequence[str] = (),
    detector: str | None = None,
    exclude: Sequence[str] = (),
) -> list[CellExposure]:
    """The eligible exposures with any of these filters (and a detector) that overlap these sky cells, sorted.

    No filters stand for all. `place` names what the cells cover. `exclude`: ipppssoo of exposures that are left out.
    Raises UsageError if a filter has none there, or if some have no file.
    """
    e, m = t.exposure.c, t.membership.c
    names = [field.name for field in fields(CellExposure) if field.name != "placed"]
    placed, of_place = place_of(connection)
    query = (
        sa.select(*(e["member_wcs" if name == "wcs_digest" else name] for name in names), *of_place)
        .select_from(t.exposure.join(t.membership).outerjoin(t.placement, placed))
        .where(m.skycell_id.in_([cell.index for cell in cells]), e.ipppssoo.not_in(exclude))
        .where(e.eligible, e.withdrawn_at.is_(None), e.wcs_digest.is_not(None))
        .distinct()
        .order_by(e.ipppssoo)
    )
    if detector is not None:
        query = query.where(e.detector == detector)
    if filters:
        query = query.where(e.filter.in_([name for text in filters for name in filter_names(text)]))
    n = len(names)
    rows = connection.execute(query).all()
    exposures = [replace(CellExposure(*row[:n]), placed=as_placed(*row[n:])) for row in rows]
    where = f"{f' of {detector}' if detector else ''} in {len(cells)} sky cells of {place}"
    found = {exposure.filter.lower() for exposure in exposures}
    for text in filters:
        if not found.intersection(filter_names(text)):
            raise _no_exposure(connection, text, where)
    if not exposures:
        raise UsageError(f"found no exposure{where}; ask `mvmdb cells --at`, or choose another place")
    fileless = [exposure.ipppssoo for exposure in exposures if not exposure.path]
    if fileless:
        raise UsageError(
            f"{len(fileless)} of {len(exposures)} exposures{where} are known from a table alone ({fileless[0]} is "
            "one); expected their files: ingest them, or exclude them"
        )
    return exposures


def _no_exposure(connection: sa.Connection, text: str, where: str) -> UsageError:
    known = connection.scalars(sa.select(t.exposure.c.filter).where(t.exposure.c.eligible).distinct()).all()
    return UsageError(
        f"found no exposure with {text}{where}{near(text.lower(), known)}; ask `mvmdb cells --at`, or choose "
        "another filter"
    )


def load_skies(connection: sa.Connection, layer: str, members: Sequence[str]) -> dict[str, float]:
    """The sky (electrons/s/arcsec^2) of each member (ipppssoo), in its own electrons, as the layer's product has it.

    Empty unless the product holds exactly these members, with their current pixels and WCS, and a sky of each.
    """
    e, m, p = t.exposure.c, t.product_member.c, t.product.c
    query = (
        sa.select(m.ipppssoo, own_sky())
        .select_from(t.product_member.join(t.product).join(t.exposure, e.ipppssoo == m.ipppssoo))
        .where(p.layer == layer, m.pixels == e.pixels, m.wcs_digest == e.member_wcs, m.sky.is_not(None))
    )
    skies = {name: float(sky) for name, sky in connection.execute(query)}
    members_of_product = set(
        connection.scalars(sa.select(m.ipppssoo).select_from(t.product_member.join(t.product)).where(p.layer == layer))
    )
    return skies if members_of_product == set(members) == set(skies) else {}
