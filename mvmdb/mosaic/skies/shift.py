"""A mosaic whose members' skies have all moved by one number: what is to be subtracted, and what HDRTAB says then."""

from __future__ import annotations

from dataclasses import replace

from mvmdb.errors import ProductError
from mvmdb.exposures.fits.units import is_rate_unit
from mvmdb.layers.skies import common_shift
from mvmdb.mosaic.flux import sky_scales
from mvmdb.mosaic.product.provenance import ChipRow
from mvmdb.mosaic.product.read import StoredProduct
from mvmdb.recipe import SAME_SKY
from mvmdb.records import LayerJob


def shift_present(job: LayerJob, present: StoredProduct) -> StoredProduct:
    """The present product with the skies that the job has for its members, if the recipe takes solved skies.

    A constant sky is drizzled to the same brightness everywhere, so subtracting the difference from SCI is what
    drizzling with the other skies would give; weights and errors stay. Raises ProductError when the skies did not move
    by one number.
    """
    scales = sky_scales(present.rows)
    skies = {
        member.ipppssoo: None if member.sky is None else member.sky * scales.get(member.ipppssoo, 1.0)
        for member in job.members
    }
    if not job.recipe.takes_solved_skies or all(skies[row.ipppssoo] is None for row in present.rows):
        return present
    shift = common_shift(skies, {row.ipppssoo: row.sky for row in present.rows})
    if shift is None:
        raise ProductError(
            f"the skies of the members of {job.layer} moved by different amounts; expected one for all; "
            "drizzle it from all members"
        )
    rows = tuple(_move(row, float(skies[row.ipppssoo] or 0.0)) for row in present.rows)
    return replace(present, rows=rows, shift=shift * job.recipe.pixel_scale**2)


def _move(row: ChipRow, sky: float) -> ChipRow:
    """The row with another sky, also in the chip's own unit."""
    if abs(sky - row.sky) <= SAME_SKY:
        return row
    rate = is_rate_unit(row.bunit)
    per_second = row.bunit.strip().upper().endswith("/S") if rate is None else rate
    seconds = 1.0 if per_second else row.exptime
    return replace(row, sky=sky, subtracted=sky * seconds * row.idcscale**2 / row.factor)
