"""The noise of an exposure's pixels, by which it is judged whether a change of its sky matters."""

from __future__ import annotations

from contextlib import closing

import numpy as np

from mvmdb.mosaic.drizzle.chips import blame_member, brightness_per_unit, good_pixels, read_member_chips
from mvmdb.recipe import Recipe
from mvmdb.records import MemberInput

EVERY = 8
"""Which rows are looked at: 1/8 of a chip shows its noise to 0.2%."""
_SIGMA_PER_MAD = 1.482602218505602


def measure_noise(member: MemberInput, recipe: Recipe) -> float:
    """The standard deviation of a pixel of the first chip, electrons/s/arcsec^2; 0 where no two good pixels are
    neighbours.

    It is the median absolute difference of neighbours in a row, in which neither skies nor large sources show, over
    the square root of 2. Raises as `read_member_chips`.
    """
    chips = read_member_chips(member.path, member.ipppssoo, recipe.good_bits, alternate=member.alternate)
    with blame_member(member.ipppssoo), closing(chips):  # type: ignore[type-var]
        chip = next(chips)
        rows = np.s_[::EVERY, :]
        good = good_pixels(chip, recipe.sky_good_bits, rows)
        both = good[:, 1:] & good[:, :-1]
        steps = np.diff(chip.science[rows].astype(np.float64), axis=1)[both]
        if not steps.size:
            return 0.0
        return float(_SIGMA_PER_MAD / np.sqrt(2.0) * np.median(np.abs(steps)) * brightness_per_unit(chip))
