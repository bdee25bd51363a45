"""The eligible exposures of sky cells as a mosaic needs them, and skies from a product with the same members."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields

import sqlalchemy as sa

from mvmdb.catalog.ask.cells import near
from mvmdb.errors import UsageError
from mvmdb.names import CellId
from mvmdb.records import CellExposure
from mvmdb.schema import tables as t


def load_eligible_exposures(
    connection: sa.Connection, cells: Sequence[CellId], place: str, filter_name: str, detector: str | None = None
) -> list[CellExposure]:
    """The eligible exposures with a filter (and a detector) that overlap these sky cells, sorted by ipppssoo.

    `place` names what the cells cover. Raises UsageError if there are none, or if some have no file.
    """
    e, m = t.exposure.c, t.membership.c
    query = (
        sa.select(*(e[field.name] for field in fields(CellExposure)))
        .select_from(t.exposure.join(t.membership))
        .where(m.skycell_id.in_([cell.index for cell in cells]), e.filter == filter_name)
        .where(e.eligible, e.withdrawn_at.is_(None), e.wcs_digest.is_not(None))
        .distinct()
        .order_by(e.ipppssoo)
    )
    if detector is not None:
        query = query.where(e.detector == detector)
    exposures = [CellExposure(*row) for row in connection.execute(query).all()]
    what = f"{filter_name}{f' of {detector}' if detector else ''} in {len(cells)} sky cells of {place}"
    if not exposures:
        known = connection.scalars(sa.select(e.filter).where(e.eligible).distinct()).all()
        raise UsageError(
            f"found no exposure with {what}{near(filter_name.lower(), known)}; ask `mvmdb cells --at`, or choose "
            "another filter"
        )
    fileless = [exposure.ipppssoo for exposure in exposures if not exposure.path]
    if fileless:
        raise UsageError(
            f"{len(fileless)} of {len(exposures)} exposures with {what} are known from a table alone ({fileless[0]} is "
            "one); expected their files: ingest them"
        )
    return exposures


def load_skies(connection: sa.Connection, layer: str, members: Sequence[str]) -> dict[str, float]:
    """The sky (electrons/s/arcsec^2) of each member (ipppssoo), as recorded with the layer's product.

    Empty unless the product holds exactly these members, with their current pixels and WCS, and a sky of each.
    """
    e, m, p = t.exposure.c, t.product_member.c, t.product.c
    query = (
        sa.select(m.ipppssoo, m.sky)
        .select_from(t.product_member.join(t.product).join(t.exposure, e.ipppssoo == m.ipppssoo))
        .where(p.layer == layer, m.pixels == e.pixels, m.wcs_digest == e.wcs_digest, m.sky.is_not(None))
    )
    skies = {name: float(sky) for name, sky in connection.execute(query)}
    members_of_product = set(
        connection.scalars(sa.select(m.ipppssoo).select_from(t.product_member.join(t.product)).where(p.layer == layer))
    )
    return skies if members_of_product == set(members) == set(skies) else {}
