"""The view `seam`: what is left of each pair's difference after the skies of a mosaic are subtracted."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from mvmdb.schema import tables as t

GRADIENT_SIGMA = 5.0
"""How many of its standard deviations a change of the difference within an overlap must be to look like a gradient."""
_OF_HALVES = 2.0
"""The error of what two halves of an overlap differ by, in times of that of the whole: each has half of the pixels."""


def select_seams() -> sa.Select[Any]:
    """One row per mosaic and measured pair of its members, by the method of its skies and of the pixels that it holds.

    Pairs of which an exposure has changed since the mosaic was made are left out: their difference is another one.
    """
    pair, product, layer = t.sky_pair, t.product, t.layer
    exposures = t.exposure.alias("e1"), t.exposure.alias("e2")
    members = t.product_member.alias("m1"), t.product_member.alias("m2")
    source: Any = pair
    keys, digests = (pair.c.first_id, pair.c.second_id), (pair.c.first_digest, pair.c.second_digest)
    for exposure, member, key, digest in zip(exposures, members, keys, digests, strict=True):
        source = source.join(exposure, sa.and_(exposure.c.id == key, exposure.c.member_digest == digest))
        same = [
            member.c.ipppssoo == exposure.c.ipppssoo,
            member.c.pixels == exposure.c.pixels,
            member.c.wcs_digest == exposure.c.member_wcs,
            member.c.sky.is_not(None),
        ]
        if member is members[1]:
            same.append(member.c.product_id == members[0].c.product_id)
        source = source.join(member, sa.and_(*same))
    source = source.join(product, product.c.id == members[0].c.product_id)
    source = source.join(layer, layer.c.name == product.c.layer).join(t.skycell, t.skycell.c.id == layer.c.skycell_id)
    by_differences = product.c.recipe.contains('"method": "mvmdb"')
    measured = pair.c.difference.is_not(None)
    conditions = [
        pair.c.first_pixels > 0,
        pair.c.second_pixels > 0,
        sa.or_(sa.and_(by_differences, measured), sa.and_(sa.not_(by_differences), sa.not_(measured))),
    ]
    scale = sa.func.coalesce(members[0].c.photscale, 1.0)  # pairs are in electrons of the first
    difference = sa.func.coalesce(pair.c.difference, pair.c.first_sky - pair.c.second_sky) * scale
    error, gradient = pair.c.error * scale, pair.c.gradient * scale
    residual = difference - (members[0].c.sky - members[1].c.sky)
    gradient_sigma = pair.c.gradient / (_OF_HALVES * pair.c.error)
    return (
        sa.select(
            layer.c.name.label("layer"),
            t.skycell.c.name.label("skycell"),
            exposures[0].c.ipppssoo.label("first_exposure"),
            exposures[1].c.ipppssoo.label("second_exposure"),
            difference.label("difference"),
            residual.label("residual"),
            error.label("error"),
            (sa.func.abs(residual) / error).label("sigma"),
            pair.c.first_pixels.label("pixels"),
            (pair.c.area / 3600.0).label("overlap_arcmin2"),
            layer.c.mean_exposures,
            gradient.label("gradient"),
            gradient_sigma.label("gradient_sigma"),
            sa.case((gradient_sigma >= GRADIENT_SIGMA, sa.true()), else_=sa.false()).label("looks_like_gradient"),
            pair.c.measure.label("measure"),
        )
        .select_from(source)
        .where(*conditions)
    )
