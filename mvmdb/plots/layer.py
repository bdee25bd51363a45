"""The plot of one layer: its mosaic, its weights, and how many exposures it holds where, on the sky."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mvmdb.errors import InputError
from mvmdb.pictures.mosaics import limits_of, shrink, softening_of
from mvmdb.plots.style import FAINT, MAP, format_seconds, plural
from mvmdb.sky.footprints import Footprints

if TYPE_CHECKING:
    from astropy.wcs import WCS
    from matplotlib.figure import Figure

LARGEST = 900
"""The longest side of what is drawn, in pixels: larger mosaics are shrunk by means over squares."""


@dataclass(frozen=True, slots=True)
class SmallLayer:
    """A mosaic made small: `science` and `weight` (rows, columns), NaN without data, and the WCS of these pixels.

    `depth` is the number of exposures there. `members` and `exptime` (seconds) are those of the mosaic; `weight_unit`
    is the unit of `weight`.
    """

    name: str
    science: NDArray[np.float32]
    weight: NDArray[np.float32]
    depth: NDArray[np.int64]
    wcs: WCS
    members: int
    exptime: float
    weight_unit: str = "s"


def read_small(path: Path, name: str, s_regions: Sequence[str], exptime: float, largest: int = LARGEST) -> SmallLayer:
    """Read a mosaic, shrunk as it is read; `s_regions` are the footprints of the exposures that it holds.

    Raises InputError if the mosaic cannot be read.
    """
    from astropy.io import fits
    from astropy.wcs import WCS

    try:
        with fits.open(path, memmap=True) as hdus:
            shape = hdus["SCI"].data.shape
            science, weight = (shrink(hdus[extension].data, largest) for extension in ("SCI", "WHT"))
            wcs, unit = WCS(hdus["SCI"].header), str(hdus["WHT"].header.get("BUNIT") or "s")
    except (OSError, KeyError, ValueError, TypeError, AttributeError) as error:
        raise InputError(f"{path} cannot be plotted ({error}); expected a mosaic: run mvmdb verify --deep") from error
    step = max(1, -(-max(shape) // largest))
    small = wcs.deepcopy()
    small.wcs.crpix = (wcs.wcs.crpix - 0.5) / step + 0.5
    small.wcs.cd = wcs.wcs.cd * step
    small.pixel_shape = science.shape[::-1]
    weight = np.where(weight > 0, weight, np.float32(np.nan))
    return SmallLayer(
        name,
        science,
        weight,
        count_depth(small, (science.shape[0], science.shape[1]), s_regions),
        small,
        len(s_regions),
        exptime,
        unit,
    )


def count_depth(wcs: WCS, shape: tuple[int, int], s_regions: Sequence[str]) -> NDArray[np.int64]:
    """How many of the footprints (region texts) hold the centre of each pixel of an image of this shape."""
    from mvmdb.mosaic.drizzle.raster import polygon_rings, scan_rings
    from mvmdb.sky.depth import join_chips

    footprints = Footprints.from_regions(s_regions)
    steps = np.zeros((shape[0], shape[1] + 1), np.int64)
    if len(footprints.ra):
        pixels = np.column_stack(wcs.all_world2pix(footprints.ra, footprints.dec, 0))
        for outline in join_chips(pixels, footprints.polygon_start, footprints.owner, footprints.n):
            spans = scan_rings(polygon_rings(outline), shape)
            np.add.at(steps, (spans.row, spans.start), 1)
            np.add.at(steps, (spans.row, spans.stop), -1)
    return np.cumsum(steps, axis=1)[:, :-1]


def draw_layer(figure: Figure, layer: SmallLayer) -> None:
    """Three panels: the mosaic with an asinh stretch, its weights, and the number of exposures."""
    from matplotlib.colors import BoundaryNorm, Normalize

    low, high = limits_of(layer.science)
    soft = softening_of(low, high)
    panels: list[Any] = [figure.add_subplot(1, 3, number + 1, projection=layer.wcs) for number in range(3)]
    stretched = np.arcsinh((np.clip(layer.science, low, high) - low) / soft)
    panels[0].imshow(stretched, cmap="gray", origin="lower", interpolation="nearest")
    panels[0].set_title("mosaic, asinh stretch")
    values = layer.weight[np.isfinite(layer.weight)]
    top = float(np.percentile(values, 99.8)) if values.size else 1.0
    weight = panels[1].imshow(layer.weight, cmap=MAP, origin="lower", norm=Normalize(0.0, top), interpolation="nearest")
    panels[1].set_title("weight")
    most = max(1, int(layer.depth.max(initial=0)))
    step = max(1, -(-most // 12))
    norm = BoundaryNorm(np.arange(0.5, most + step + 0.5, step), 256)
    depth = panels[2].imshow(
        np.where(layer.depth > 0, layer.depth, np.nan), cmap=MAP, origin="lower", norm=norm, interpolation="nearest"
    )
    panels[2].set_title("number of exposures")
    figure.colorbar(
        panels[0].images[0], ax=panels[0], orientation="horizontal", pad=0.03, label="faint to bright"
    ).set_ticks([])
    figure.colorbar(weight, ax=panels[1], orientation="horizontal", pad=0.03, label=f"WHT ({layer.weight_unit})")
    bar = figure.colorbar(depth, ax=panels[2], orientation="horizontal", pad=0.03, label="exposures")
    bar.set_ticks([first + (step - 1) / 2 for first in range(1, most + 1, step)], labels=_depth_labels(most, step))
    for number, axes in enumerate(panels):
        axes.set_facecolor("#e9ecef")
        ra, dec = axes.coords
        ra.set_axislabel("right ascension (ICRS)")
        dec.set_axislabel("declination (ICRS)" if number == 0 else " ")
        dec.set_ticklabel_visible(number == 0)
        ra.set_ticks(number=3)
        ra.set_ticklabel(exclude_overlapping=True)
        axes.coords.grid(color=FAINT, alpha=0.3, linewidth=0.5)
    words = f"{plural(layer.members, 'exposure')}, {format_seconds(layer.exptime)}"
    figure.suptitle(f"{layer.name}\n{words}", fontsize=12)


def _depth_labels(most: int, step: int) -> list[str]:
    if step == 1:
        return [str(depth) for depth in range(1, most + 1)]
    return [f"{first}-{first + step - 1}" for first in range(1, most + 1, step)]
