"""The tables of skies: pairs of overlapping exposures as measured, and the sky that the solution gave each."""

from __future__ import annotations

from sqlalchemy import Column, DateTime, Float, Integer, String, Table

from mvmdb.schema.columns import may, metadata, must, reference

sky_pair = Table(
    "sky_pair",
    metadata,
    reference("first_id", "exposure.id", "exposure with the lower identity", primary_key=True),
    reference("second_id", "exposure.id", "exposure that overlaps it", primary_key=True, index=True),
    Column(
        "measure",
        String(60),
        primary_key=True,
        comment="how it was measured: good DQ bits, clips, sigma, lowest; begins with differences where by differences",
    ),
    must("first_digest", String(40), "member_digest of the first when it was measured"),
    must("second_digest", String(40), "member_digest of the second when it was measured"),
    must("first_sky", Float, "sky of the first in the overlap, electrons/s/arcsec^2"),
    must("second_sky", Float, "sky of the second in the overlap, electrons/s/arcsec^2"),
    must("first_pixels", Integer, "pixels of the first that it was measured from"),
    must("second_pixels", Integer, "pixels of the second that it was measured from"),
    may(
        "difference", Float, "brightness of the first minus the second, by differences of pixels, electrons/s/arcsec^2"
    ),
    may("error", Float, "standard deviation of difference, electrons/s/arcsec^2"),
    may("gradient", Float, "change of difference between halves of the overlap; null if unknown, electrons/s/arcsec^2"),
    may("area", Float, "area of the pixels compared, square arcsec"),
    sqlite_with_rowid=False,
    comment="the skies of overlapping exposures, so that a new solution need not read old pixels",
)

sky = Table(
    "sky",
    metadata,
    reference("exposure_id", "exposure.id", "exposure", primary_key=True),
    must("member_digest", String(40), "member_digest of the exposure that noise and sky are of"),
    must("noise", Float, "standard deviation of a pixel, electrons/s/arcsec^2"),
    may("component", String(8), "first exposure of its component of overlapping exposures; empty until it was solved"),
    may("value", Float, "sky that mosaics subtract, electrons/s/arcsec^2; empty until it was solved"),
    may("solved_at", DateTime, "when a solution changed the value (UTC)"),
    sqlite_with_rowid=False,
    comment="skies of exposures, solved once for all layers; used by the method mvmdb",
)
