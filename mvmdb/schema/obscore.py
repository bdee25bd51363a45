"""The view `obscore`: exposures and mosaics as the IVOA's ObsCore 1.1 names and measures them.

It is plain SQL, without functions of this package, so that any reader of the database has it. What plain SQL cannot
compute is told in round numbers here, and exactly by the exported VOTable (formats/obscore.py): a mosaic is at the
centre of its sky cell, within the circle around the cell, and the field of an exposure is that of its detector.
"""

from __future__ import annotations

import math
from typing import Any

import sqlalchemy as sa

from mvmdb.filters import Band, list_bands
from mvmdb.instruments import INSTRUMENTS, find_detector
from mvmdb.schema import tables as t

PUBLISHER = "ivo://mvmdb.local"
"""The authority in identifiers of datasets, which whoever publishes them replaces by a registered one."""
CELL_RADIUS = 0.1725
"""Degrees: a circle around the centre of a sky cell so wide holds the cell (half the diagonal of 21954 pixels)."""
_APERTURE = 2.4  # metres: the diameter of Hubble's primary mirror
_ARCSEC = math.degrees(1.0) * 3600.0


def select_obscore(connection: sa.Connection) -> Any:
    """The query of the view: eligible exposures of the archive, then intact mosaics that are expected."""
    bands = select_bands()
    return sa.union_all(select_exposures(connection, bands), select_mosaics(connection, bands))


def select_exposures(connection: sa.Connection, bands: sa.CTE) -> sa.Select[Any]:
    """The rows of exposures, from the table `exposure` with what belongs to it."""
    x, d = t.exposure.c, t.dataset.c
    active = sa.and_(d.exposure_id == x.id, d.active)
    several = x.s_region.like("POLYGON%POLYGON%")
    union = sa.literal("UNION ICRS (") + sa.func.replace(x.s_region, "POLYGON ICRS", "POLYGON") + ")"
    source = t.exposure.outerjoin(t.dataset, active).outerjoin(bands, _same_band(connection, bands, t.exposure.c))
    return _columns(
        bands,
        t.exposure.c,
        calib_level=sa.literal(2),
        obs_collection=sa.literal("HST"),
        obs_id=x.rootname,
        obs_publisher_did=sa.literal(f"{PUBLISHER}/exposure?") + x.ipppssoo,
        access_url=_url(sa.func.nullif(x.path, "")),
        access_format=sa.case((x.path != "", "application/fits")),
        access_estsize=_kilobytes(d.size),
        target_name=sa.func.nullif(x.target, ""),
        s_ra=x.ra,
        s_dec=x.dec,
        s_fov=_field(),
        s_region=sa.case((several, union), else_=x.s_region),
        s_resolution=bands.c.resolution,
        s_xel1=sa.cast(sa.null(), sa.BigInteger),
        s_xel2=sa.cast(sa.null(), sa.BigInteger),
        t_min=x.expstart,
        t_max=x.expend,
        t_exptime=x.exptime,
        t_resolution=x.exptime,
    ).select_from(source).where(x.eligible, x.withdrawn_at.is_(None), ~x.pruned, x.s_region != "")  # fmt: skip


def select_mosaics(connection: sa.Connection, bands: sa.CTE) -> sa.Select[Any]:
    """The rows of mosaics, from the tables `product`, `layer` and `skycell`."""
    p, c = t.product.c, t.skycell.c
    folder = sa.select(t.archive.c.value).where(t.archive.c.key == "products").scalar_subquery()
    circle = sa.literal("CIRCLE ICRS ") + _text(c.ra) + " " + _text(c.dec) + f" {CELL_RADIUS}"
    coarse = t.layer.c.scale == "coarse"
    member, seen = (
        t.product_member,
        t.product_member.join(t.exposure, t.exposure.c.ipppssoo == t.product_member.c.ipppssoo),
    )
    held = member.c.product_id == p.id

    def of_members(value: Any, source: Any) -> Any:
        return sa.select(value).select_from(source).where(held).correlate(t.product).scalar_subquery()

    source = (
        t.product.join(t.layer, t.layer.c.id == p.layer_id)
        .join(t.skycell, c.id == t.layer.c.skycell_id)
        .outerjoin(bands, _same_band(connection, bands, t.layer.c))
    )
    return _columns(
        bands,
        t.layer.c,
        calib_level=sa.literal(3),
        obs_collection=sa.literal("HAP-MVM"),
        obs_id=p.layer,
        obs_publisher_did=sa.literal(f"{PUBLISHER}/mosaic?") + p.layer,
        access_url=_url(folder + "/" + p.skycell + "/" + p.filename),
        access_format=sa.literal("application/fits"),
        access_estsize=_kilobytes(p.size),
        target_name=p.skycell,
        s_ra=c.ra,
        s_dec=c.dec,
        s_fov=sa.literal(2 * CELL_RADIUS, sa.Float),
        s_region=circle,
        s_resolution=sa.case((coarse & (bands.c.resolution < 0.24), 0.24), else_=bands.c.resolution),
        s_xel1=_pixels(p.x_min, p.x_max, coarse),
        s_xel2=_pixels(p.y_min, p.y_max, coarse),
        t_min=of_members(sa.func.min(t.exposure.c.expstart), seen),
        t_max=of_members(sa.func.max(t.exposure.c.expend), seen),
        t_exptime=of_members(sa.func.sum(member.c.exptime), member),
        t_resolution=sa.cast(sa.null(), sa.Float),
    ).select_from(source).where(p.state == "intact")  # fmt: skip


def _columns(bands: sa.CTE, camera: Any, **values: Any) -> sa.Select[Any]:
    """The columns of ObsCore in the standard's order; those alike for exposures and mosaics are filled in here."""
    polarised = camera.filter.like("%pol%")
    values |= {
        "dataproduct_type": sa.literal("image"),
        "t_xel": sa.literal(1),
        "em_min": bands.c.em_min,
        "em_max": bands.c.em_max,
        "em_res_power": bands.c.power,
        "em_xel": sa.literal(1),
        "o_ucd": sa.literal("phot.count"),
        "pol_states": sa.cast(sa.null(), sa.Text),
        "pol_xel": sa.case((polarised, 1), else_=0),
        "facility_name": sa.literal("HST"),
        "instrument_name": sa.func.upper(camera.instrument) + "/" + sa.func.upper(camera.detector),
    }
    return sa.select(*(values[name].label(name) for name in COLUMNS))


COLUMNS = (
    "dataproduct_type", "calib_level", "obs_collection", "obs_id", "obs_publisher_did", "access_url", "access_format",
    "access_estsize", "target_name", "s_ra", "s_dec", "s_fov", "s_region", "s_resolution", "s_xel1", "s_xel2", "t_min",
    "t_max", "t_exptime", "t_resolution", "t_xel", "em_min", "em_max", "em_res_power", "em_xel", "o_ucd", "pol_states",
    "pol_xel", "facility_name", "instrument_name",
)  # fmt: skip
"""The mandatory columns of ObsCore 1.1, in the standard's order."""


def select_bands() -> sa.CTE:
    """The table of facts about filters, as a part of the query: no table, so that it never lacks a filter."""
    names = ("instrument", "detector", "filter", "em_min", "em_max", "power", "resolution")
    rows: list[tuple[Any, ...]] = [
        (*place, band.low_nm * 1e-9, band.high_nm * 1e-9, *_powers(place[0], place[1], band))
        for place, band in list_bands().items()
    ]
    parts = [
        sa.select(*(sa.literal(_rounded(value)).label(name) for name, value in zip(names, row, strict=True)))
        for row in rows
    ]
    return sa.union_all(*parts).cte("band")


def _powers(instrument: str, detector: str, band: Band) -> tuple[float, float]:
    """(resolving power, spatial resolution in arcsec) of images in a band.

    The power is the pivot wavelength over the width of the band. The resolution is the width of the telescope's
    diffraction pattern at half maximum, 1.03 wavelengths over the aperture, or two pixels if that is more.
    """
    diffraction = 1.03 * band.pivot_nm * 1e-9 / _APERTURE * _ARCSEC
    pixel = sum(find_detector(instrument, detector).pixels) / 2
    return band.pivot_nm / (band.high_nm - band.low_nm), max(diffraction, 2 * pixel)


def _rounded(value: str | float) -> str | float:
    return value if isinstance(value, str) else float(f"{value:.4g}")


def _same_band(connection: sa.Connection, bands: sa.CTE, camera: Any) -> Any:
    """Whether a band is that of a layer's or exposure's filter, whatever polariser or blocker stands beside this."""
    place = sa.func.instr if connection.dialect.name == "sqlite" else sa.func.strpos
    alone: Any = camera.filter
    for blocker in ("f130lp", "f165lp"):
        alone = sa.func.replace(sa.func.replace(alone, f"-{blocker}", ""), f"{blocker}-", "")
    first = sa.func.substr(alone, 1, place(alone, "-pol") - 1)
    return sa.and_(
        camera.instrument == bands.c.instrument,
        camera.detector == bands.c.detector,
        sa.case((alone.like("%-pol%"), first), else_=alone) == bands.c.filter,
    )


def _field() -> Any:
    """The diagonal of the detector's field, in degrees."""
    x = t.exposure.c
    return sa.case(
        *(
            (sa.and_(x.instrument == name, x.detector == chip.name), float(f"{math.hypot(*chip.field) / 3600:.4g}"))
            for name, facts in INSTRUMENTS.items()
            for chip in facts.detectors
        )
    )


def _url(path: Any) -> Any:
    """An address as a URL: characters that would end or change the path of a file are escaped."""
    escaped = path
    for character in "% #?":
        escaped = sa.func.replace(escaped, character, f"%{ord(character):02X}")
    return sa.case((path.like("%://%"), path), else_=sa.literal("file://") + escaped)


def _kilobytes(size: Any) -> Any:
    return (size + 999) // 1000


def _pixels(first: Any, last: Any, coarse: Any) -> Any:
    """How many pixels cover the fine ones `first` to `last`, 1-based, as `Canvas.at_scale` has it."""
    low = sa.case((first < 2, 1), else_=(first + 1) // 3)
    high = sa.case((last < 2, 1), else_=(last + 1) // 3)
    return sa.case((coarse, high - low + 1), else_=last - first + 1)


def _text(number: Any) -> Any:
    return sa.cast(number, sa.Text)
