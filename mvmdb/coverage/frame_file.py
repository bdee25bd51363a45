"""A layer's map of depth as FITS, and the list of its exposures as ECSV, as they lie beside a mosaic."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from mvmdb.atomic import replace_file
from mvmdb.coverage.frame import FramedLayer, count_pixels, iterate_bands
from mvmdb.sky.tessellation import cell_wcs

_BLOCK = 2880
_COLUMNS = {
    "ipppssoo": ("identity of the exposure", None),
    "instrument": ("instrument, as in names of layers", None),
    "detector": ("detector, as in names of layers", None),
    "filter": ("the layer's filter", None),
    "proposal_id": ("HST program number", None),
    "target": ("TARGNAME", None),
    "exptime": ("exposure time, seconds", "s"),
    "expstart": ("start, MJD", "d"),
    "expend": ("end, MJD", "d"),
    "astrometric_catalog": ("astrometric catalog of WCSNAME, empty where it has none", None),
}


def map_filename(layer: str) -> str:
    """The file name of a layer's map of depth."""
    return f"{layer}_exptime.fits"


def list_filename(layer: str) -> str:
    """The file name of the list of a layer's exposures."""
    return f"{layer}_exposures.ecsv"


def write_exposure_map(folder: Path, layer: FramedLayer) -> tuple[Path, Path]:
    """Write a layer's map of depth and the list of its exposures to a folder; returns their paths.

    The map has two image extensions on the grid of the mosaic: EXPTIME (32-bit floats, seconds) and NEXP (the number of
    exposures, 16-bit integers, or 32-bit from 32,768 members on). The list has a row for each member, with the number
    of pixels that it is in. Memory is bounded whatever the canvas. Each file is there whole or not at all. Raises
    OSError.
    """
    paths = folder / map_filename(layer.layer), folder / list_filename(layer.layer)
    write_map(paths[0], layer)
    write_list(paths[1], layer)
    return paths


def write_map(target: Path, layer: FramedLayer, comment: str | None = None) -> None:
    """Write the map of `write_exposure_map` alone, with a comment (at most 72 characters) in its first header.

    Raises OSError.
    """
    replace_file(target, lambda stream: _write_map(stream, layer, target.name, comment))


def write_list(target: Path, layer: FramedLayer, comment: str | None = None) -> None:
    """Write the list of `write_exposure_map` alone, with a comment in its header (`meta`). Raises OSError."""
    text = _list_exposures(layer, comment)
    replace_file(target, lambda stream: stream.write(text.encode()))


def _write_map(stream: BinaryIO, layer: FramedLayer, filename: str, comment: str | None) -> None:
    from astropy.io import fits

    primary = fits.PrimaryHDU()
    primary.header["FILENAME"] = filename
    primary.header["SCELLID"] = (str(layer.cell).removeprefix("skycell-"), "sky cell")
    primary.header["NDRIZIM"] = (len(layer.exposures), "number of exposures")
    if comment is not None:
        primary.header["COMMENT"] = comment
    stream.write(primary.header.tostring().encode("ascii"))
    exptimes = (band.exptime.astype(">f4") for band in iterate_bands(layer))
    _write_image(stream, layer, "EXPTIME", -32, exptimes, ("BUNIT", "s", "summed exposure time"))
    kind, bits = (">i2", 16) if len(layer.exposures) < 2**15 else (">i4", 32)
    numbers = (band.n_exposures.astype(kind) for band in iterate_bands(layer))
    _write_image(stream, layer, "NEXP", bits, numbers, ("BUNIT", "count", "number of exposures"))


def _write_image(
    stream: BinaryIO,
    layer: FramedLayer,
    name: str,
    bits: int,
    rows: Iterator[NDArray[np.generic]],
    unit: tuple[str, str, str],
) -> None:
    """One image extension, whose rows are written as they come."""
    from astropy.io import fits

    header = fits.Header(
        [("XTENSION", "IMAGE", "image extension"), ("BITPIX", bits), ("NAXIS", 2), ("NAXIS1", layer.shape[1]),
         ("NAXIS2", layer.shape[0]), ("PCOUNT", 0), ("GCOUNT", 1), ("EXTNAME", name), unit]
    )  # fmt: skip
    plane = cell_wcs(layer.cell, layer.scale, layer.canvas).wcs
    header["WCSAXES"], header["RADESYS"] = 2, "ICRS"
    for axis in (1, 2):
        header[f"CTYPE{axis}"], header[f"CUNIT{axis}"] = ("RA---TAN", "DEC--TAN")[axis - 1], "deg"
        header[f"CRPIX{axis}"], header[f"CRVAL{axis}"] = float(plane.crpix[axis - 1]), float(plane.crval[axis - 1])
        for pixel_axis in (1, 2):
            header[f"CD{axis}_{pixel_axis}"] = float(plane.cd[axis - 1][pixel_axis - 1])
    stream.write(header.tostring().encode("ascii"))
    size = 0
    for band in rows:
        size += stream.write(band.tobytes())
    stream.write(bytes(-size % _BLOCK))


def _list_exposures(layer: FramedLayer, comment: str | None) -> str:
    from astropy.table import Column, Table

    exposures = layer.exposures
    table = Table(meta={"layer": layer.layer, "skycell": str(layer.cell), "scale": layer.scale})
    if comment is not None:
        table.meta["comment"] = comment
    for name, (meaning, unit) in _COLUMNS.items():
        values = getattr(exposures, name)
        if values.dtype == object:
            values = np.array(["" if value is None else str(value) for value in values.tolist()], dtype=str)
        table.add_column(Column(values, name=name, description=meaning, unit=unit))
    table.add_column(Column(count_pixels(layer), name="n_pixels", description="pixels of the map that it is in"))
    text = io.StringIO()
    table.write(text, format="ascii.ecsv")
    return text.getvalue()
