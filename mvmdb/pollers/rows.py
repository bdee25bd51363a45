"""The rows of poller files, from the catalog and a plan: which exposures are NEW and which OLD."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import sqlalchemy as sa

from mvmdb.catalog.rows import chunks
from mvmdb.pollers.files import PollerRow
from mvmdb.schema import tables as t


def poller_rows(
    connection: sa.Connection, cells: Sequence[int], new: Mapping[str, Iterable[str] | None]
) -> dict[str, list[PollerRow]]:
    """The poller rows of sky cells (keys): one for each member of any layer, sorted by file name.

    `new` maps the names of stale layers to the members (ipppssoo) to mark NEW, None standing for all of them. An
    exposure that is NEW in one layer is NEW.
    """
    fresh_for = {layer: None if names is None else set(names) for layer, names in new.items()}
    e = t.exposure.c
    found: dict[str, dict[str, PollerRow]] = defaultdict(dict)
    for part in chunks(cells):
        query = (
            sa.select(t.skycell.c.name.label("skycell"), t.layer.c.name.label("layer"), t.exposure)
            .select_from(t.layer_member.join(t.layer).join(t.skycell).join(t.exposure))
            .where(t.layer.c.skycell_id.in_(part))
            .order_by(t.skycell.c.name, e.filename)
        )
        for row in connection.execute(query):
            names = fresh_for.get(row.layer, set())
            is_new = names is None or row.ipppssoo in names
            own = found[row.skycell]
            if is_new or row.ipppssoo not in own:
                own[row.ipppssoo] = _row(row, is_new)
    return {skycell: sorted(own.values(), key=lambda r: r.filename) for skycell, own in found.items()}


def _row(row: sa.Row[tuple[object, ...]], is_new: bool) -> PollerRow:
    return PollerRow(
        filename=row.filename,
        proposal_id=row.proposal_id,
        program_id=row.program,
        obset_id=row.visit,
        exptime=row.exptime,
        filters=row.filters,
        detector=row.detector.upper(),
        skycell=row.skycell,
        flag="NEW" if is_new else "OLD",
        pathname=row.path,
    )
