"""The values of HiPS: which mosaics, on which tiles, shown how."""

from __future__ import annotations

from dataclasses import dataclass

from mvmdb.errors import UsageError
from mvmdb.names import Scale
from mvmdb.shown import Shown, Told

WIDTH = 512
"""Pixels along the side of a tile."""
LOWEST, HIGHEST = 3, 18
"""Orders that a HiPS may have: Allsky shows order 3, and an order above 18 has pixels of less than 2 mas."""
PIXEL_SCALE = {"fine": 0.04, "coarse": 0.12}
"""Arcsec per pixel of mosaics."""
_ORDER = {"fine": 14, "coarse": 12}
_CUT = {"fine": (-0.01, 3.0), "coarse": (-0.09, 27.0)}


@dataclass(frozen=True, slots=True)
class HipsMosaic:
    """One mosaic: its layer, its file, and a text that changes whenever its pixels or their places do (`identity`)."""

    layer: str
    path: str
    identity: str


@dataclass(frozen=True, slots=True)
class HipsOptions:
    """What a HiPS shows, and how: a filter of one camera (`wfc3/ir`) at one scale, to an order, grey between values.

    `order` None: the lowest whose pixels (206265 arcsec * pi/3 ** .5 / 512 / 2 ** order) are not larger than those of
    the mosaics. `cut` None: chosen by the scale. `publisher` is the authority of its identifier (`creator_did`).
    """

    filter: str
    camera: str
    scale: Scale = "fine"
    order: int | None = None
    cut: tuple[float, float] | None = None
    publisher: str = "ivo://PRIVATE_USER/mvmdb"

    @property
    def hips_order(self) -> int:
        """The order of the smallest tiles. Raises UsageError if it is out of range."""
        order = _ORDER[self.scale] if self.order is None else self.order
        if not LOWEST <= order <= HIGHEST:
            raise UsageError(f"the order is {order}; expected {LOWEST} to {HIGHEST}")
        return order

    @property
    def grey(self) -> tuple[float, float]:
        """The values, electrons/s per pixel of the mosaics, that are black and white. Raises UsageError if reversed."""
        low, high = _CUT[self.scale] if self.cut is None else self.cut
        if not low < high:
            raise UsageError(f"the cut is from {low} to {high}; expected the lower value first")
        return low, high

    @property
    def name(self) -> str:
        """`wfc3_ir_f125w`, or with `_coarse`."""
        name = f"{self.camera.replace('/', '_')}_{self.filter}"
        return name if self.scale == "fine" else f"{name}_{self.scale}"


@dataclass(frozen=True, slots=True)
class TileTask:
    """One tile to be made in a folder: from these mosaics, in the order of their names, or from the tiles above it."""

    folder: str
    order: int
    number: int
    grey: tuple[float, float]
    mosaics: tuple[HipsMosaic, ...] = ()


@dataclass(frozen=True, slots=True, repr=False)
class MadeHips(Shown):
    """What was done: numbers of tiles of the highest order that there are, and that were made, removed and left.

    `order` is that order, `folder` where they are, and `mosaics` how many mosaics they show.
    """

    folder: str
    order: int
    mosaics: int
    tiles: int
    made: int
    removed: int
    unchanged: int
    seconds: float

    def tell(self) -> Told:
        """The numbers of tiles."""
        return Told(f"{self.tiles} tiles of order {self.order}, {self.made} made, {self.removed} removed")
