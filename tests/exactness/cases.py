"""Nine exposures that drizzlepac 3.11 leaves out of a sky cell they overlap: where they point, and which cell it is.

`test_known_misses` shows from geometry that they overlap it and that mvmdb has it; `conformance.sky.known_misses` runs
drizzlepac on the same files.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from fitsfiles import write_exposure

SHAPES = {"IR": (1014, 1014), "HRC": (1024, 1024)}


class Case(NamedTuple):
    """One exposure: why drizzlepac misses it, position and roll in degrees, detector, and the cell that is missed."""

    cause: str
    ra: float
    dec: float
    roll: float
    detector: str
    cell: tuple[int, int, int]

    @property
    def skycell(self) -> str:
        """The cell's name."""
        return "skycell-p{:04d}x{:02d}y{:02d}".format(*self.cell)

    def write(self, folder: Path) -> Path:
        """The exposure as a file. drizzlepac needs EXPNAME in every SCI header."""
        return write_exposure(
            folder, detector=self.detector, shape=SHAPES[self.detector], ra=self.ra, dec=self.dec, orientat=self.roll,
            sci={"EXPNAME": "test"},
        )  # fmt: skip


CASES = [
    # The outline straddles dec_min or dec_max of the cell's ring: drizzlepac takes only rings that contain all of it.
    Case("ring edge", 0.0, 4.5, 20.0, "IR", (1322, 11, 21)),
    Case("ring edge", 88.0, -4.5, 70.0, "HRC", (1254, 11, 1)),
    Case("ring edge", 130.909, 56.5, 0.0, "HRC", (2369, 11, 21)),
    # The projection cell is the last of its ring and the nearest is the first: the index below 0 is not wrapped.
    Case("RA seam", 357.9142, -26.084, 20.0, "IR", (795, 2, 11)),  # Abell 2667
    Case("RA seam", 358.3, 2.0, 20.0, "HRC", (1411, 1, 11)),
    Case("RA seam", 353.0, 82.0, 0.0, "HRC", (2633, 1, 12)),
    # Only the strip by which row and column 21 pass the projection cell is overlapped; drizzlepac tests that first.
    Case("outer strip", 37.47621, 1.99646, 2.0, "IR", (1332, 21, 11)),
    Case("outer strip", 130.91166, -51.49316, 1.0, "HRC", (260, 11, 21)),
    Case("outer strip", 40.12698, -23.36652, -1.0, "HRC", (806, 21, 5)),
]
