"""Who is in this pixel of a mosaic: the chips that contribute to it, by HDRTAB alone."""

from __future__ import annotations

import math
import os
from dataclasses import asdict, dataclass

import numpy as np
import shapely

from mvmdb.errors import ProductError, UsageError
from mvmdb.mosaic.contributing.geometry import drops_of, shape_of
from mvmdb.mosaic.product.provenance import UNKNOWN, ChipRow
from mvmdb.mosaic.product.read import StoredProduct, open_product
from mvmdb.recipe import Recipe
from mvmdb.shown import Shown, Told

_LEAST = 1e-9
"""Part of a pixel that a chip must cover to contribute."""
_NEAR = 0.1
"""WHT below that of good pixels by more than this part shows that some pixels were left out: a pixel's own area on the
sky differs by up to 5% from its chip's mean."""


@dataclass(frozen=True, slots=True)
class Contributor:
    """One chip that contributes to a pixel.

    `row`: its row in HDRTAB, from 0, and its bit in a context image. `ccdchip`: the chip's number on the detector, None
    where it has none. `exptime` in seconds, `expstart` in MJD, None where it is unknown, as `date_obs`, `proposal_id`
    and `target` are in mosaics made before they were recorded. `covered`: how much of the pixel the chip covers, 0 to
    1. `wht`: what it adds to the pixel's WHT, in the unit of that, if none of its pixels there are bad; `share`: its
    part of all that. `factor`: electrons made of one stored unit. `sky`: electrons/s/arcsec^2 that were subtracted,
    None where none was matched. `path`: the exposure's file, None where no catalog has it.
    """

    row: int
    ipppssoo: str
    rootname: str
    extver: int
    ccdchip: int | None
    exptime: float
    expstart: float | None
    date_obs: str | None
    proposal_id: int | None
    target: str | None
    wcsname: str
    factor: float
    sky: float | None
    covered: float
    wht: float
    share: float
    path: str | None = None


MEANINGS: dict[str, tuple[str, str | None]] = {
    "row": ("row of HDRTAB, from 0: its bit in a context image", None),
    "ipppssoo": ("identity of the exposure", None),
    "rootname": ("ROOTNAME", None),
    "extver": ("EXTVER of the chip's SCI extension", None),
    "ccdchip": ("number of the chip on its detector", None),
    "exptime": ("exposure time, seconds", "s"),
    "expstart": ("start, MJD", "d"),
    "date_obs": ("DATE-OBS", None),
    "proposal_id": ("HST program number", None),
    "target": ("TARGNAME", None),
    "wcsname": ("solution that placed it", None),
    "factor": ("electrons made of one stored unit", None),
    "sky": ("sky that was subtracted, electrons/s/arcsec2", None),
    "covered": ("part of the pixel that the chip covers", None),
    "wht": ("what it adds to WHT if its pixels there are good", None),
    "share": ("its part of the pixel's weight if all are good", None),
    "path": ("file of the exposure", None),
}
"""The meanings and units of the fields of Contributor."""


@dataclass(frozen=True, slots=True, repr=False)
class Contributors(Shown):
    """The chips that contribute to one pixel of a mosaic, in the order of HDRTAB.

    `x` and `y` are the pixel, from 1; `ra` and `dec` its centre in degrees; `wht` is what the mosaic has there.
    HDRTAB does not know which pixels of an exposure were left out as bad: where `wht` is below the sum of what the
    chips would add, `some_bad` is True.
    """

    mosaic: str
    x: int
    y: int
    ra: float
    dec: float
    wht: float
    chips: tuple[Contributor, ...]

    @property
    def expected(self) -> float:
        """WHT if none of the chips' pixels there were bad."""
        return math.fsum(chip.wht for chip in self.chips)

    @property
    def some_bad(self) -> bool:
        """Whether pixels of some of the chips were left out here."""
        return self.wht < (1.0 - _NEAR) * self.expected

    def tell(self) -> Told:
        """How many chips, and whether all their pixels were used."""
        line = f"pixel {self.x}, {self.y}: {len(self.chips)} chips, WHT {self.wht:.6g}"
        if self.some_bad:
            line += f" of {self.expected:.6g}: bad pixels of some were left out, HDRTAB does not say of which"
        return Told(line, tuple(MEANINGS), [tuple(asdict(chip).values()) for chip in self.chips])


def contributors_at(
    mosaic: str | os.PathLike[str], pixel: tuple[float, float] | None, sky: tuple[float, float] | None = None
) -> Contributors:
    """The chips that contribute to a pixel of a mosaic: `pixel` is x, y from 1, or `sky` is ra, dec in degrees.

    Raises ProductError if the mosaic is missing, damaged or not mvmdb's, UsageError for a place off the mosaic.
    """
    stored = open_product(os.fspath(mosaic))
    x, y = _find_pixel(stored, pixel, sky)
    recipe, box = Recipe.from_json(stored.record.recipe), shapely.box(x - 0.5, y - 0.5, x + 0.5, y + 0.5)
    found: list[tuple[int, float, float]] = []
    for drop in drops_of(stored):
        low, high = drop.outline.min(axis=0) - 1.0, drop.outline.max(axis=0) + 1.0
        if low[0] <= x <= high[0] and low[1] <= y <= high[1]:
            covered = float(shapely.area(shapely.intersection(shape_of(drop, recipe), box)))
            if covered > _LEAST:
                found.append((drop.row, covered, covered * drop.depth))
    total = math.fsum(wht for *_, wht in found)
    chips = tuple(_describe(row, stored.rows[row], covered, wht, wht / total) for row, covered, wht in found)
    ra, dec = stored.grid.pixel_to_sky(np.array(float(x)), np.array(float(y)))
    return Contributors(stored.record.path, x + 1, y + 1, float(ra), float(dec), _read_weight(stored, x, y), chips)


def _find_pixel(
    stored: StoredProduct, pixel: tuple[float, float] | None, sky: tuple[float, float] | None
) -> tuple[int, int]:
    """The 0-based column and row that are asked for."""
    if (pixel is None) == (sky is None):
        raise UsageError("found both a pixel and a position on the sky, or neither; expected one of them")
    rows, columns = stored.grid.shape
    if pixel is not None:
        x, y = (value - 1.0 for value in pixel)
        what = f"pixel {pixel[0]:g}, {pixel[1]:g}"
    elif sky is not None:
        x, y = (float(value) for value in stored.grid.sky_to_pixel(np.array(sky[0]), np.array(sky[1])))
        what = f"position {sky[0]:g}, {sky[1]:g}"
    if not (math.isfinite(x) and math.isfinite(y) and -0.5 <= x < columns - 0.5 and -0.5 <= y < rows - 0.5):
        raise UsageError(
            f"found the {what}, off the mosaic; expected x from 1 to {columns} and y from 1 to {rows} in "
            f"{stored.record.path}"
        )
    return math.floor(x + 0.5), math.floor(y + 0.5)


def _describe(number: int, row: ChipRow, covered: float, wht: float, share: float) -> Contributor:
    seen = row.observation
    return Contributor(
        row=number,
        ipppssoo=row.ipppssoo,
        rootname=row.rootname,
        extver=row.extver,
        ccdchip=None if seen is None or seen.ccdchip == UNKNOWN else seen.ccdchip,
        exptime=row.exptime,
        expstart=None if math.isnan(row.expstart) else row.expstart,
        date_obs=None if seen is None else seen.date_obs or None,
        proposal_id=None if seen is None else seen.proposid,
        target=None if seen is None else seen.targname or None,
        wcsname=row.wcsname,
        factor=row.factor,
        sky=None if math.isnan(row.sky) else row.sky,
        covered=round(covered, 6),
        wht=wht,
        share=share,
    )


def _read_weight(stored: StoredProduct, x: int, y: int) -> float:
    """WHT of one pixel."""
    path = stored.record.path
    try:
        with open(path, "rb") as file:
            file.seek(stored.places["WHT"] + 4 * (y * stored.grid.shape[1] + x))
            return float(np.frombuffer(file.read(4), ">f4")[0])
    except (OSError, IndexError, ValueError) as error:
        raise ProductError(f"{path} cannot be read: {error}; check its disk") from error
