"""The catalog's views: coverage, history, and which layers are stale as far as the database alone can tell.

`stale_reason` and `stale_layer` compare recorded digests. What only the files can tell (a product deleted or damaged
since) is in them once `mvmdb status` has looked.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from mvmdb.frames import ALIGNED
from mvmdb.photometry import SAME
from mvmdb.recipe import MATCHED_ACROSS, SAME_SKY
from mvmdb.schema import tables as t
from mvmdb.schema.engine import iso_utc, iso_utc_time, join_distinct
from mvmdb.schema.obscore import select_obscore
from mvmdb.schema.seams import select_seams

VIEWS = (
    "coverage",
    "astrometry",
    "misaligned",
    "seam",
    "photometry",
    "stale_reason",
    "stale_layer",
    "history",
    "obscore",
)  # in the order of creation


def create_views(connection: sa.Connection) -> None:
    """Make every view anew; they hold no data, so each schema upgrade drops and makes them."""
    drop_views(connection)
    for name, select in (
        ("coverage", _coverage(connection)),
        ("astrometry", _astrometry()),
        ("misaligned", _misaligned()),
        ("seam", select_seams()),
        ("photometry", _photometry()),
        ("stale_reason", _stale_reason()),
        ("stale_layer", _stale_layer(connection)),
        ("history", _history(connection)),
        ("obscore", select_obscore(connection)),
    ):
        text = str(select.compile(connection, compile_kwargs={"literal_binds": True}))
        # PostgreSQL's driver reads % as the beginning of a parameter, so there it stays doubled.
        if connection.dialect.name == "sqlite":
            text = text.replace("%%", "%")
        connection.exec_driver_sql(f"CREATE VIEW {name} AS {text}")


def drop_views(connection: sa.Connection) -> None:
    """Remove the views, whichever exist."""
    for name in reversed(VIEWS):
        connection.exec_driver_sql(f"DROP VIEW IF EXISTS {name}")


def _coverage(connection: sa.Connection) -> sa.Select[Any]:
    """One row per layer."""
    columns = (
        t.layer.c.name.label("layer"),
        t.skycell.c.name.label("skycell"),
        t.skycell.c.ra,
        t.skycell.c.dec,
        t.layer.c.instrument,
        t.layer.c.detector,
        t.layer.c.filter,
        t.layer.c.scale,
        t.layer.c.n_exposures,
        t.layer.c.n_waiting,
        t.layer.c.exptime,
        t.layer.c.expstart,
        t.layer.c.expend,
    )
    member = t.layer_member.join(t.exposure)
    of_layer = t.layer_member.c.layer_id == t.layer.c.id
    aggregates = (
        sa.select(join_distinct(connection, t.exposure.c.proposal_id)).select_from(member).where(of_layer),
        sa.select(join_distinct(connection, t.exposure.c.astrometric_catalog)).select_from(member).where(of_layer),
    )
    programs, catalogs = (query.correlate(t.layer).scalar_subquery() for query in aggregates)
    return sa.select(
        *columns,
        programs.label("programs"),
        catalogs.label("astrometric_catalogs"),
        t.layer.c.area_arcmin2,
        t.layer.c.mean_exposures,
        t.layer.c.frames,
        t.layer.c.mixed_arcmin2,
        iso_utc(connection, t.layer.c.expstart).label("expstart_utc"),
        iso_utc(connection, t.layer.c.expend).label("expend_utc"),
        *_product(connection),
    ).select_from(t.layer.join(t.skycell).outerjoin(t.product, t.product.c.layer == t.layer.c.name))


def _astrometry() -> sa.Select[Any]:
    """One row per layer, frame, catalog and kind of fit."""
    exposure, alternate = t.exposure, t.alternate
    used = sa.select(t.archive.c.value).where(t.archive.c.key == "alternate").scalar_subquery()
    solution = sa.and_(
        exposure.c.alternate != "", alternate.c.ipppssoo == exposure.c.ipppssoo, alternate.c.name == used
    )
    aligned = exposure.c.alternate != ""
    catalog = sa.case((aligned, sa.func.nullif(alternate.c.reference, "")), else_=exposure.c.astrometric_catalog)
    fit = sa.case((aligned, ALIGNED), else_=exposure.c.fit)
    groups = (t.layer.c.id, t.layer.c.name, t.skycell.c.name, t.layer.c.mixed_arcmin2, exposure.c.frame, catalog, fit)
    return (
        sa.select(
            t.layer.c.name.label("layer"),
            t.skycell.c.name.label("skycell"),
            exposure.c.frame,
            catalog.label("astrometric_catalog"),
            fit.label("fit"),
            sa.func.count().label("n_exposures"),
            sa.func.sum(exposure.c.exptime).label("exptime"),
            t.layer.c.mixed_arcmin2,
        )
        .select_from(t.layer.join(t.skycell).join(t.layer_member).join(exposure).outerjoin(alternate, solution))
        .group_by(*groups)
    )


def _misaligned() -> sa.Select[Any]:
    """One row per layer and pair of its members that lie apart."""
    pair, first, second = t.shift_pair, t.exposure.alias("first"), t.exposure.alias("second")
    one, other = t.layer_member.alias("one"), t.layer_member.alias("other")
    valid = sa.and_(
        pair.c.first_pixels == first.c.pixels, pair.c.first_wcs == first.c.wcs_digest,
        pair.c.second_pixels == second.c.pixels, pair.c.second_wcs == second.c.wcs_digest,
    )  # fmt: skip
    both = sa.and_(other.c.exposure_id == pair.c.second_id, other.c.layer_id == one.c.layer_id)
    return (
        sa.select(
            t.layer.c.name.label("layer"),
            t.skycell.c.name.label("skycell"),
            first.c.ipppssoo.label("first"),
            second.c.ipppssoo.label("second"),
            first.c.frame.label("first_frame"),
            second.c.frame.label("second_frame"),
            pair.c.left_dx.label("dx"),
            pair.c.left_dy.label("dy"),
            pair.c.left_pixels.label("apart_pixels"),
            *(pair.c[name] for name in ("error", "n_sources", "overlap_arcmin2")),
        )
        .select_from(
            pair.join(first, first.c.id == pair.c.first_id)
            .join(second, sa.and_(second.c.id == pair.c.second_id, valid))
            .join(one, one.c.exposure_id == pair.c.first_id)
            .join(other, both)
            .join(t.layer, t.layer.c.id == one.c.layer_id)
            .join(t.skycell, t.skycell.c.id == t.layer.c.skycell_id)
        )
        .where(t.APART)
    )


def _photometry() -> sa.Select[Any]:
    """One row per layer whose members have different PHOTFLAM, with the factors that its product was made with."""
    layer, exposure, member, product = t.layer, t.exposure, t.product_member, t.product
    low, high = sa.func.min(exposure.c.photflam), sa.func.max(exposure.c.photflam)
    counts = (
        sa.func.count().label("n_exposures"),
        (sa.func.count() - sa.func.count(exposure.c.photflam)).label("n_without"),
    )
    differing = (
        sa.select(layer.c.name, layer.c.skycell_id, *counts, low.label("photflam_min"), high.label("photflam_max"))
        .select_from(layer.join(t.layer_member).join(exposure))
        .group_by(layer.c.id, layer.c.name, layer.c.skycell_id)
        .having(high > low * (1.0 + SAME))
        .subquery("differing")
    )
    made = sa.and_(product.c.layer == differing.c.name, member.c.product_id == product.c.id)
    scales = [
        sa.select(function(member.c.photscale)).where(made).correlate(differing).scalar_subquery()
        for function in (sa.func.min, sa.func.max)
    ]
    return sa.select(
        differing.c.name.label("layer"),
        t.skycell.c.name.label("skycell"),
        differing.c.n_exposures,
        differing.c.n_without,
        differing.c.photflam_min,
        differing.c.photflam_max,
        (100.0 * (differing.c.photflam_max / differing.c.photflam_min - 1.0)).label("difference_percent"),
        scales[0].label("photscale_min"),
        scales[1].label("photscale_max"),
    ).select_from(differing.join(t.skycell, t.skycell.c.id == differing.c.skycell_id))


def _product(connection: sa.Connection) -> tuple[sa.Label[Any], sa.Label[Any]]:
    """The path of a product, and when it was recorded; null where there is no product."""
    folder = sa.select(t.archive.c.value).where(t.archive.c.key == "products").scalar_subquery()
    path = folder + "/" + t.product.c.skycell + "/" + t.product.c.filename
    exists = t.product.c.state != "missing"
    made_at = t.product.c.made_at
    return (
        sa.case((exists, path)).label("path"),
        sa.case((exists, iso_utc_time(connection, made_at))).label("made_at_utc"),
    )


def own_sky() -> sa.ColumnElement[Any]:
    """A product's sky of a member, in electrons as the exposure has them, before they are scaled to those of others."""
    return t.product_member.c.sky / sa.func.coalesce(t.product_member.c.photscale, 1.0)


def has_moved() -> sa.ColumnElement[bool]:
    """Whether a product subtracted another sky from a member than the solution of the archive says.

    Only the skies of products that take theirs from it are compared, and only where both are known.
    """
    takes = t.product.c.recipe.contains(MATCHED_ACROSS, autoescape=True)
    return sa.and_(takes, sa.func.abs(own_sky() - t.sky.c.value) > SAME_SKY)


def _reason(code: str, exposure: Any, where: Any, source: Any) -> sa.Select[Any]:
    columns: tuple[Any, ...] = (
        t.layer.c.name.label("layer"),
        t.skycell.c.name.label("skycell"),
        sa.literal_column(f"'{code}'").label("reason"),
        exposure.label("exposure"),
    )
    return sa.select(*columns).select_from(source).where(where)


def _stale_reason() -> Any:
    """One row a reason: layer, sky cell, reason code, exposure concerned (or null)."""
    nobody = sa.null()
    layer, product, exposure = t.layer, t.product, t.exposure
    cell = layer.join(t.skycell)
    made = cell.join(product, product.c.layer == layer.c.name)
    unmade = cell.outerjoin(product, product.c.layer == layer.c.name)
    differs = layer.c.recipe_digest != product.c.recipe_digest
    member = made.join(t.layer_member, t.layer_member.c.layer_id == layer.c.id).join(
        exposure, exposure.c.id == t.layer_member.c.exposure_id
    )
    product_member = t.product_member
    kept = member.join(
        product_member,
        sa.and_(product_member.c.product_id == product.c.id, product_member.c.ipppssoo == exposure.c.ipppssoo),
    )
    new = member.outerjoin(
        product_member,
        sa.and_(product_member.c.product_id == product.c.id, product_member.c.ipppssoo == exposure.c.ipppssoo),
    )
    still = (
        sa.select(t.layer_member.c.exposure_id)
        .select_from(t.layer_member.join(exposure))
        .where(t.layer_member.c.layer_id == layer.c.id, exposure.c.ipppssoo == product_member.c.ipppssoo)
        .correlate(layer, product_member)
    )
    moved = sa.or_(*(t.skycell.c[name] != product.c[name] for name in ("x_min", "x_max", "y_min", "y_max")))
    lost = made.join(product_member, product_member.c.product_id == product.c.id)
    parts = (
        _reason("product-missing", nobody, sa.or_(product.c.id.is_(None), product.c.state == "missing"), unmade),
        _reason("product-damaged", nobody, product.c.state == "damaged", made),
        _reason("pixels-unproven", nobody, product.c.proof == "unproven", made),
        _reason("last-run-failed", nobody, layer.c.failure.is_not(None), cell),
        _reason("member-added", exposure.c.ipppssoo, sa.and_(differs, product_member.c.product_id.is_(None)), new),
        _reason("member-removed", product_member.c.ipppssoo, sa.and_(differs, ~still.exists()), lost),
        _reason("member-recalibrated", exposure.c.ipppssoo, product_member.c.pixels != exposure.c.pixels, kept),
        _reason("member-realigned", exposure.c.ipppssoo, product_member.c.wcs_digest != exposure.c.member_wcs, kept),
        _reason("sky-moved", exposure.c.ipppssoo, has_moved(), kept.join(t.sky, t.sky.c.exposure_id == exposure.c.id)),
        _reason("canvas-changed", nobody, moved, made),
        _reason("recipe-changed", nobody, _made_otherwise(differs, moved), made.join(t.recipe)),
        sa.select(product.c.layer, product.c.skycell, sa.literal_column("'orphaned'"), sa.null())
        .select_from(product.outerjoin(layer, product.c.layer == layer.c.name))
        .where(layer.c.id.is_(None)),
    )
    return sa.union_all(*parts)


def _made_otherwise(differs: Any, moved: Any) -> Any:
    """Whether a product has other parameters than its layer, or nothing differs but the digests.

    The latter is a product of another version, which made digests in another way. `differs` and `moved` say whether
    digests and canvases do.
    """
    layer, product, exposure, product_member = t.layer, t.product, t.exposure, t.product_member
    same = sa.and_(product_member.c.product_id == product.c.id, product_member.c.ipppssoo == exposure.c.ipppssoo)
    unlike = (
        sa.select(exposure.c.id)
        .select_from(t.layer_member.join(exposure).outerjoin(product_member, same))
        .where(
            t.layer_member.c.layer_id == layer.c.id,
            sa.or_(
                product_member.c.pixels.is_distinct_from(exposure.c.pixels),
                product_member.c.wcs_digest.is_distinct_from(exposure.c.member_wcs),
            ),
        )
        .correlate(layer, product)
    )
    same_members = sa.and_(layer.c.n_exposures == product.c.n_members, ~unlike.exists())
    digests_alone = sa.and_(
        differs,
        product.c.state == "intact",
        product.c.proof != "unproven",
        layer.c.failure.is_(None),
        sa.not_(moved),
        same_members,
    )
    return sa.or_(t.recipe.c.parameters != product.c.recipe, digests_alone)


def _stale_layer(connection: sa.Connection) -> sa.Select[Any]:
    """One row per stale layer: its reasons, the numbers of exposures concerned and of files awaited, its product."""
    reason = sa.table("stale_reason", *(sa.column(name) for name in ("layer", "skycell", "reason", "exposure")))
    return (
        sa.select(
            reason.c.layer,
            reason.c.skycell,
            join_distinct(connection, reason.c.reason).label("reasons"),
            sa.func.count(sa.distinct(reason.c.exposure)).label("n_exposures_concerned"),
            sa.func.coalesce(sa.func.max(t.layer.c.n_waiting), 0).label("n_waiting"),
            *(sa.func.max(column.element).label(column.name) for column in _product(connection)),
        )
        .select_from(
            reason.outerjoin(t.layer, t.layer.c.name == reason.c.layer).outerjoin(
                t.product, t.product.c.layer == reason.c.layer
            )
        )
        .group_by(reason.c.layer, reason.c.skycell)
    )


def _history(connection: sa.Connection) -> sa.Select[Any]:
    """One row per event, with its run."""
    event, run = t.event, t.run
    columns = ("kind", "exposure", "layer", "path", "detail", "reasons", "n_members", "seconds", "size", "memory_mb")
    return sa.select(
        event.c.id,
        iso_utc_time(connection, event.c.at).label("at_utc"),
        *(event.c[name] for name in columns),
        event.c.run_id.label("run"),
        run.c.command,
        run.c.username,
        run.c.host,
    ).select_from(event.outerjoin(run))
