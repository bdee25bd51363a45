"""Which exposures a mosaic holds, by its own table: what it was made of, whatever the catalog has learned since."""

from __future__ import annotations

from itertools import groupby
from operator import attrgetter
from pathlib import Path

from mvmdb.coverage.frame import FramedLayer
from mvmdb.coverage.values import COLUMNS, columns_of
from mvmdb.errors import ProductError
from mvmdb.exposures.wcsname import split_wcsname
from mvmdb.mosaic.product.foreign import is_own
from mvmdb.mosaic.product.provenance import UNKNOWN, ChipRow
from mvmdb.mosaic.product.read import open_product
from mvmdb.names import parse_cell_name, parse_layer_name


def read_held(mosaic: Path) -> FramedLayer:
    """The exposures that a mosaic of mvmdb's holds, in its grid; its pixels are not read.

    `proposal_id` is -1 and `target` empty where an earlier version of mvmdb did not record them. Raises ProductError if
    the mosaic is missing or damaged, or is one of another program's, whose table has no footprints.
    """
    if not is_own(mosaic):
        raise ProductError(
            f"{mosaic} is of another program, and holds exposures of which this catalog has no footprint; expected "
            "these in the catalog: ingest them, or make the layer again (mvmdb reconcile)"
        )
    stored = open_product(mosaic)
    layer = parse_layer_name(stored.record.layer)
    known: dict[str, object] = {"instrument": layer.instrument, "detector": layer.detector, "filter": layer.filter}
    chips = sorted(stored.rows, key=lambda row: (row.ipppssoo, row.extver))
    members = [list(some) for _, some in groupby(chips, key=attrgetter("ipppssoo"))]
    described = [{"id": number} | known | _describe(some) for number, some in enumerate(members)]
    rows = [[values[name] for name in COLUMNS] for values in described]
    cell = parse_cell_name(layer.skycell)
    return FramedLayer(str(layer), cell, layer.scale, stored.record.canvas, columns_of(rows))


def _describe(chips: list[ChipRow]) -> dict[str, object]:
    first, solution = chips[0], split_wcsname(chips[0].wcsname)
    seen = first.observation
    return {
        "ipppssoo": first.ipppssoo,
        "proposal_id": UNKNOWN if seen is None else seen.proposid,
        "target": "" if seen is None else seen.targname,
        "exptime": first.exptime,
        "expstart": first.expstart,
        "expend": first.expend,
        "fit": solution.fit,
        "astrometric_catalog": solution.catalog,
        "s_region": " ".join(chip.s_region for chip in chips),
    }
