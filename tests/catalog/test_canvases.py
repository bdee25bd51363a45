"""The canvas of a sky cell: what the members of all its layers cover, whichever layers a change concerns."""

from __future__ import annotations

import pytest
from archive import Archive

from mvmdb.catalog.exposures.standing import withdraw
from mvmdb.catalog.open import open_catalog
from mvmdb.catalog.settings import read_policy

BOX = "min({0}.x_min), max({0}.x_max), min({0}.y_min), max({0}.y_max)"
PLACES = (("ib6o04tuq", "F125W", 0, 0), ("ib6o04twq", "F140W", 9, 0), ("ib6o04tzq", "F105W", 3, -9),
          ("ib6o04u0q", "F160W", -9, 2), ("ib6o04u2q", "F125W", 1, 9))  # fmt: skip


def check_canvases(archive: Archive) -> None:
    """Each cell's canvas is the box of the memberships of all its layers' members, or none where it has no layers."""
    recorded = archive.rows(f"SELECT skycell.id, {BOX.format('skycell')} FROM skycell GROUP BY skycell.id")
    covered = archive.rows(
        f"SELECT m.skycell_id, {BOX.format('m')} FROM membership m JOIN layer ON layer.skycell_id = m.skycell_id JOIN"
        " layer_member lm ON lm.layer_id = layer.id AND lm.exposure_id = m.exposure_id GROUP BY 1"
    )
    boxes = {cell: box for cell, *box in covered}
    assert {cell: box for cell, *box in recorded} == {cell: boxes.get(cell, [None] * 4) for cell, *_ in recorded}


@pytest.mark.parametrize("together", [True, False])
def test_a_canvas_holds_the_members_of_all_layers_of_its_cell(archive: Archive, together: bool) -> None:
    for rootname, filters, east, north in PLACES:
        archive.expose(rootname, filters=filters, east=east, north=north)
        if not together:
            archive.ingest()
            check_canvases(archive)
    archive.ingest()
    check_canvases(archive)
    for rootname, *_ in PLACES:
        with open_catalog(archive.address) as engine, engine.begin() as connection:
            withdraw(connection, [rootname[:8]], "", read_policy(connection))
        check_canvases(archive)
