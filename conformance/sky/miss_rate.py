"""Counts the exposures that drizzlepac leaves out of a sky cell, by cause: its search, on random footprints.

`GridDefs.get_sky_cells` and everything below it are drizzlepac's. What it needs of an exposure (the positions of its
edges and the frame around them) is computed here from an outline, as drizzlepac's pixel masks take 10 seconds per
exposure.
"""

from __future__ import annotations

import argparse
import logging
import warnings
from collections import Counter

import numpy as np
import shapely
from astropy.wcs import WCS
from drizzlepac.haputils.cell_utils import GridDefs
from exactness.compare import find
from exactness.fields import REGIMES, draw_field
from exactness.planes import N_BAND, PIXELS_PER_DEGREE, RING_DEC_MAX, RING_DEC_MIN, sky_to_plane

from mvmdb.names import CellId

SPACING = 4
"""Spacing of positions along the edges, in fine pixels."""
CLEARLY = 10_000
"""Fine pixels^2: drizzlepac's edges are whole pixels, so smaller overlaps do not count as missed."""
PROJECTION_SIDE = 450287


class Outline:
    """What drizzlepac's search needs of a SkyFootprint, for one exposure."""

    def __init__(self, ra, dec):
        self.members = ["exposure"]
        self.meta_wcs = WCS(naxis=2)
        self.meta_wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
        self.meta_wcs.wcs.cdelt = [-1 / PIXELS_PER_DEGREE, 1 / PIXELS_PER_DEGREE]
        self.meta_wcs.wcs.crval = [ra[0, 0], dec[0, 0]]
        x, y = self.meta_wcs.wcs_world2pix(ra, dec, 0)
        self.meta_wcs.wcs.crpix = [-x.min(), -y.min()]
        self.meta_wcs.pixel_shape = (int(np.ptp(x)) + 1, int(np.ptp(y)) + 1)
        chips = shapely.polygons(np.stack([x - x.min(), y - y.min()], axis=-1))
        edges = shapely.get_coordinates(shapely.segmentize(shapely.boundary(chips), SPACING))
        self._edges = tuple(self.meta_wcs.wcs_pix2world(edges, 0).T)

    def get_edges_sky(self, member="total"):
        """(ra, dec) of positions along all edges."""
        return self._edges


def name_cause(cell, ra, dec):
    """Why drizzlepac misses a cell, from geometry alone."""
    ring = int(np.searchsorted(np.cumsum(N_BAND), cell.projection_cell, side="right"))
    if dec.min() < RING_DEC_MIN[ring] or dec.max() > RING_DEC_MAX[ring]:
        return "ring edge"
    x, y = sky_to_plane(np.full(len(ra), cell.projection_cell), ra, dec)
    if x.min() > PROJECTION_SIDE + 0.5 or y.min() > PROJECTION_SIDE + 0.5:
        return "outer strip"
    last = cell.projection_cell == N_BAND[: ring + 1].sum() - 1
    return "RA seam" if last and (np.rint(ra * N_BAND[ring] / 360) % N_BAND[ring] == 0).any() else "other"


def main():
    """Print how many exposures and memberships of a regime drizzlepac misses, by cause."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--regime", choices=list(REGIMES), default="uniform sky")
    parser.add_argument("--exposures", type=int, default=1000)
    chosen = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    field, grid = draw_field(chosen.regime, chosen.exposures, 3), GridDefs()
    members = find(field)
    n_clear, missed, exposures, extra = 0, Counter(), Counter(), 0
    for exposure in range(field.n):
        chips, rows = field.owner == exposure, members.exposure == exposure
        ra, dec = field.ra[chips], field.dec[chips]
        theirs = set(grid.get_sky_cells(Outline(ra, dec)))
        ours = {
            CellId.from_index(index): area
            for index, area in zip(members.cell_index[rows], members.area[rows], strict=True)
        }
        extra += len(theirs - {str(cell) for cell in ours})
        clear = [cell for cell, area in ours.items() if area > CLEARLY]
        causes = [name_cause(cell, ra, dec) for cell in clear if str(cell) not in theirs]
        n_clear += len(clear)
        missed.update(causes)
        exposures.update(set(causes) | ({"any"} if causes else set()))
    print(f"{chosen.regime}: {field.n:,} exposures, {n_clear:,} memberships of more than {CLEARLY:,} fine pixels^2")
    print(f"cells that drizzlepac alone finds: {extra}")
    for cause in ("ring edge", "RA seam", "outer strip", "other", "any"):
        n = missed[cause] if cause != "any" else missed.total()
        print(
            f"  {cause:12} {n:5} memberships missed, {exposures[cause]:5} exposures ({exposures[cause] / field.n:.1%})"
        )


if __name__ == "__main__":
    main()
