"""What a HiPS says of itself: its properties, the map of its coverage (MOC), and a page for people."""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Collection
from pathlib import Path

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from mvmdb import __version__
from mvmdb.atomic import replace_file
from mvmdb.filters import band_of
from mvmdb.hips.geometry import tile_center
from mvmdb.hips.values import PIXEL_SCALE, WIDTH, HipsOptions

_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title></head>
<body><h1>{title}</h1>
<p>A hierarchical progressive survey (HiPS) of order {order}. Give the address of this folder to Aladin, or to
another program that reads HiPS. <a href="properties">Properties</a>, <a href="Moc.fits">coverage</a>.</p>
<p><img src="Norder3/Allsky.png" alt="the whole sky, in tiles"></p></body></html>
"""


_OPTICAL_ENDS = 1000.0  # nm, as IVOA's messengers divide


def write_description(folder: Path, options: HipsOptions, tiles: Collection[int], now: dt.datetime) -> None:
    """Write `properties`, `Moc.fits` and `index.html`. `tiles` of the highest order have a value; `now` is UTC."""
    order = options.hips_order
    properties = describe_properties(options, tiles, now)
    text = "".join(f"{name:20} = {value}\n" for name, value in properties.items())
    replace_file(folder / "properties", lambda file: file.write(text.encode()))
    moc = moc_bytes(order, tiles)
    replace_file(folder / "Moc.fits", lambda file: file.write(moc))
    page = _PAGE.format(title=properties["obs_title"], order=order)
    replace_file(folder / "index.html", lambda file: file.write(page.encode()))


def describe_properties(options: HipsOptions, tiles: Collection[int], now: dt.datetime) -> dict[str, str]:
    """The properties of HiPS 1.0, section 4.4.1, in its order: those that are mandatory, and those that help."""
    order = options.hips_order
    instrument, detector = options.camera.upper().split("/")
    band = band_of(instrument.lower(), detector.lower(), options.filter)
    is_infrared = band is not None and band.pivot_nm > _OPTICAL_ENDS
    ra, dec = tile_center(order, sorted(tiles)[len(tiles) // 2]) if tiles else (0.0, 0.0)
    side = 58.6323 / 2**order
    low, high = options.grey
    time = now.strftime("%Y-%m-%dT%H:%MZ")
    return {
        "creator_did": f"{options.publisher}/{options.name}",
        "obs_title": f"HST {instrument}/{detector} {options.filter.upper()} multi-visit mosaics",
        "obs_description": "Mosaics of Hubble exposures on the grid of sky cells, resampled by bilinear interpolation; "
        f"electrons/s per pixel of {PIXEL_SCALE[options.scale]} arcsec",
        "prov_progenitor": "Multi-visit mosaics of the Hubble archive's exposures",
        "obs_collection": "HST",
        "obs_regime": "Infrared" if is_infrared else "Optical",
        "dataproduct_type": "image",
        "hips_builder": f"mvmdb {__version__}",
        "hips_version": "1.4",
        "hips_release_date": time,
        "hips_status": "private master clonableOnce",
        "hips_frame": "equatorial",
        "hips_order": str(order),
        "hips_order_min": "0",
        "hips_tile_width": str(WIDTH),
        "hips_tile_format": "fits png",
        "hips_pixel_bitpix": "-32",
        "hips_pixel_cut": f"{low:g} {high:g}",
        "hips_data_range": f"{low:g} {high:g}",
        "hips_pixel_scale": f"{side / WIDTH:.6g}",
        "s_pixel_scale": f"{PIXEL_SCALE[options.scale] / 3600:.6g}",
        "hips_initial_ra": f"{ra:.6f}",
        "hips_initial_dec": f"{dec:.6f}",
        "hips_initial_fov": f"{max(8 * side, 0.01):.4g}",
        "moc_sky_fraction": f"{len(tiles) / (12 * 4**order):.6g}",
        "moc_access_url": "Moc.fits",
    }


def moc_bytes(order: int, tiles: Collection[int]) -> bytes:
    """A MOC 1.1 in FITS (NUNIQ) of the sky that these tiles cover: four tiles that fill one of a lower order are one.

    https://www.ivoa.net/documents/MOC/20191007/, section 4.2.
    """
    uniq = np.sort(_numbers(order, np.unique(np.fromiter(tiles, np.int64, len(tiles)))))
    column = fits.Column("UNIQ", "K", array=uniq)
    table = fits.BinTableHDU.from_columns([column])
    for name, value, comment in (
        ("PIXTYPE", "HEALPIX", "HEALPix"),
        ("ORDERING", "NUNIQ", "NUNIQ coding"),
        ("COORDSYS", "C", "ICRS"),
        ("MOCORDER", order, "best resolution"),
        ("MOCTOOL", f"mvmdb {__version__}", "software that made this file"),
    ):
        table.header[name] = (value, comment)
    written = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(written)
    return written.getvalue()


def _numbers(order: int, tiles: NDArray[np.int64]) -> NDArray[np.int64]:
    """The NUNIQ numbers of tiles, merged into larger ones where these are full."""
    found: list[NDArray[np.int64]] = []
    for level in range(order, -1, -1):
        parents, counts = np.unique(tiles // 4, return_counts=True)
        full = parents[counts == 4] if level else parents[:0]
        found.append(tiles[~np.isin(tiles // 4, full)] + 4 * 4**level)
        tiles = full
    return np.concatenate(found)
