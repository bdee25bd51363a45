"""Archives whose skies are solved as one, by the method mvmdb: exposures of flat skies, some across two sky cells."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from archive import Archive
from astropy.io import fits

from mvmdb.catalog.configure import initialise
from mvmdb.mosaic.product.read import read_product
from mvmdb.names import parse_cell_name, parse_layer_name
from mvmdb.records import Canvas
from mvmdb.sky.tessellation import STEP

BORDER = 21442 / 2 * 0.04
"""Arcsec from the middle of a sky cell to its border with the next; both reach 10 arcsec beyond it."""
WEST = "hst_skycell-p0726x11y11_wfc3_ir_f125w_all"
EAST = "hst_skycell-p0726x10y11_wfc3_ir_f125w_all"
"""The fine layers on both sides of the border east of the archive's CENTER."""
SIDE = 40
"""Pixels of an exposure: 5 arcsec."""


def begin(archive: Archive, **settings: bool) -> Archive:
    """Let an archive make its mosaics by the method mvmdb, with other settings of its own."""
    initialise(archive.address, method="mvmdb", **settings)  # type: ignore[arg-type]
    return archive


def expose(
    archive: Archive,
    number: int,
    east: float,
    north: float,
    sky: float,
    *,
    noise: float = 0.0,
    side: int = SIDE,
    **options: object,
) -> str:
    """Write an exposure with a flat sky and noise (electrons/s); its name. UVIS has electrons."""
    name = f"ib6o{number:02d}tu"
    seconds = float(str(options["exptime"])) if options.get("detector") == "UVIS" else 1.0
    science = (np.random.default_rng(number).normal(sky, noise, (side, side)) * seconds).astype("f4")
    archive.expose(f"{name}q", east=east, north=north, science=science, shape=(side, side), **options)
    return name


@dataclass(frozen=True)
class Mosaic:
    """The arrays of a product, and the place of its first pixel in the projection cell."""

    science: np.ndarray
    weight: np.ndarray
    error: np.ndarray | None
    left: int
    bottom: int

    def on_the_sky(self) -> dict[tuple[int, int], float]:
        """The values of exposed pixels, by pixel of the projection cell."""
        rows, columns = np.nonzero(np.isfinite(self.science))
        places = zip((columns + self.left).tolist(), (rows + self.bottom).tolist(), strict=True)
        return dict(zip(places, self.science[rows, columns].tolist(), strict=True))


def mosaic(archive: Archive, layer: str) -> Mosaic:
    """The product of a layer, where the canvas of its sky cell is."""
    (path,) = archive.products.glob(f"*/{layer}_drz.fits")
    cell = parse_cell_name(parse_layer_name(layer).skycell)
    return read_mosaic(path, read_product(path).canvas, ((cell.x - 1) * STEP, (cell.y - 1) * STEP))


def read_mosaic(path: Path, canvas: Canvas, origin: tuple[int, int]) -> Mosaic:
    """A mosaic whose canvas is counted from a pixel of the projection cell."""
    with fits.open(path) as hdus:
        science, weight = (hdus[name].data.astype(float) for name in ("SCI", "WHT"))
        error = hdus["ERR"].data.astype(float) if "ERR" in hdus else None
    return Mosaic(science, weight, error, origin[0] + canvas.x_min, origin[1] + canvas.y_min)


def solved(archive: Archive) -> dict[str, float]:
    """The sky of every exposure that has one, electrons/s/arcsec^2."""
    query = "SELECT e.ipppssoo, s.value FROM sky s JOIN exposure e ON e.id = s.exposure_id WHERE s.value IS NOT NULL"
    return dict(archive.rows(query))


def subtracted(archive: Archive, layer: str) -> dict[str, float]:
    """What a product says that it subtracted from each member."""
    query = "SELECT m.ipppssoo, m.sky FROM product_member m JOIN product p ON p.id = m.product_id WHERE p.layer = '{}'"
    return dict(archive.rows(query.format(layer)))
