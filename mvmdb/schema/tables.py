"""The tables of the catalog, as SQLAlchemy Core. Each column's comment states its meaning and unit; docs show them.

Angles are degrees (ICRS), times of observation MJD (UTC), `exptime` seconds, canvas columns 1-based fine pixels of the
sky cell. Instrument, detector and filter compare without regard to case.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Computed,
    DateTime,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    false,
    text,
)

from mvmdb.schema.types import CaselessText

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)


def _must(name: str, type_: Any, comment: str, **options: Any) -> Column[Any]:
    return Column(name, type_, nullable=False, comment=comment, **options)


def _may(name: str, type_: Any, comment: str, **options: Any) -> Column[Any]:
    return Column(name, type_, nullable=True, comment=comment, **options)


def _reference(name: str, target: str, comment: str, **options: Any) -> Column[Any]:
    return Column(name, ForeignKey(target, ondelete="CASCADE"), nullable=False, comment=comment, **options)


def _canvas(comment: str, nullable: bool) -> list[Column[Any]]:
    bounds = ("x_min", "x_max", "y_min", "y_max")
    return [Column(name, Integer, nullable=nullable, comment=f"{comment}: {name}, fine pixels") for name in bounds]


archive = Table(
    "archive",
    metadata,
    Column("key", String(40), primary_key=True, comment="name of a setting"),
    _must("value", Text, "its value"),
    comment="the archive's recorded configuration",
)

skycell = Table(
    "skycell",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False, comment="(projection_cell * 21 + y - 1) * 21 + x - 1"),
    _must("name", String(20), "skycell-pNNNNxNNyNN", unique=True),
    _must("projection_cell", Integer, "0 to 2643"),
    _must("x", Integer, "column, 1 to 21"),
    _must("y", Integer, "row, 1 to 21"),
    _must("ra", Float, "centre, degrees"),
    _must("dec", Float, "centre, degrees"),
    *_canvas("canvas shared by every layer of the cell", nullable=True),
    comment="sky cells that some exposure overlaps",
)
Index("ix_skycell_dec_ra", skycell.c.dec, skycell.c.ra)

exposure = Table(
    "exposure",
    metadata,
    Column("id", Integer, primary_key=True, comment="key"),
    _must("ipppssoo", String(8), "identity: the first 8 characters of ROOTNAME", unique=True),
    _must("rootname", String(9), "ROOTNAME of the active dataset"),
    _must("kind", String(3), "flt or flc"),
    _must("instrument", CaselessText, "acs, wfc3 or wfpc2"),
    _must("detector", CaselessText, "wfc, hrc, sbc, uvis, ir or pc"),
    _must("filters", CaselessText, "filter wheels joined with ;"),
    _must("filter", CaselessText, "the layer's filter"),
    _must("proposal_id", Integer, "HST program number", index=True),
    _must("program", String(3), "characters 2 to 4 of the root"),
    _must("visit", String(2), "characters 5 and 6 of the root"),
    _must("target", Text, "TARGNAME"),
    _must("exptime", Float, "exposure time, seconds"),
    _may("expstart", Float, "start, MJD", index=True),
    _may("expend", Float, "end, MJD"),
    _may("ra", Float, "centre of the footprint, degrees"),
    _may("dec", Float, "centre of the footprint, degrees"),
    _must("s_region", Text, "footprint: one POLYGON ICRS per chip, counter-clockwise, open"),
    _may("s_region_given", Text, "footprint text as a table gave it"),
    _must("n_chips", Integer, "number of SCI extensions"),
    _may("wcsname", Text, "WCSNAME"),
    _may("distortion", Text, "distortion model of WCSNAME"),
    _may("fit", Text, "kind of fit of WCSNAME"),
    _may("astrometric_catalog", Text, "astrometric catalog of WCSNAME"),
    _may("wcs_digest", String(40), "digest of every chip's WCS"),
    _must("pixels", String(40), "identity of the SCI and DQ arrays"),
    _must("member_digest", String(40), "digest of it as a member of layers: identity, kind, pixels and WCS"),
    _may("pixel_digest", String(40), "digest of the SCI and DQ arrays, once they were read"),
    _must("eligible", Boolean, "whether it may enter layers"),
    _must("ineligible_rule", Text, "eligibility rules that it fails, joined with ;"),
    _must("ineligible_reason", Text, "what was found, joined with ;"),
    _must("warnings", Text, "what is doubtful but no reason to refuse"),
    _must("filename", Text, "file name of the active dataset"),
    _must("path", Text, "path of the active dataset"),
    _may("withdrawn_at", DateTime, "when it left the archive (UTC)"),
    _may("withdrawn_why", Text, "why it left the archive"),
    _must("registered_at", DateTime, "first registered (UTC)"),
    _must("changed_at", DateTime, "last change (UTC)"),
    CheckConstraint("kind IN ('flt', 'flc')", name="kind"),
    comment="one row per exposure: the values of its active dataset",
)
Index("ix_exposure_instrument_detector_filter", exposure.c.instrument, exposure.c.detector, exposure.c.filter)
DOUBTFUL = {
    "sqlite": text("warnings <> '' AND eligible = 1 AND withdrawn_at IS NULL"),
    "postgresql": text("warnings <> '' AND eligible AND withdrawn_at IS NULL"),
}
"""Which exposures that may be in layers have warnings, in the words of the index that holds them alone."""
Index(
    "ix_exposure_warnings",
    exposure.c.warnings,
    sqlite_where=DOUBTFUL["sqlite"],
    postgresql_where=DOUBTFUL["postgresql"],
)
Index("ix_exposure_dec_ra", exposure.c.dec, exposure.c.ra)

dataset = Table(
    "dataset",
    metadata,
    Column("id", Integer, primary_key=True, comment="key"),
    _reference("exposure_id", "exposure.id", "exposure that the file holds", index=True),
    _must("path", Text, "absolute path", unique=True),
    _must("filename", Text, "file name"),
    _must("kind", String(3), "flt or flc"),
    _must("wcs_rank", Integer, "quality of the astrometric solution, higher is better"),
    _must("processed", Float, "PROCTIME, MJD (0 when absent)"),
    _must("size", BigInteger, "bytes"),
    _must("mtime_ns", BigInteger, "modification time, ns since 1970"),
    _must("active", Boolean, "whether the exposure's values come from this file"),
    comment="files of exposures: pipeline and SVM copies, FLT and FLC",
)

membership = Table(
    "membership",
    metadata,
    _reference("exposure_id", "exposure.id", "exposure", primary_key=True),
    _reference("skycell_id", "skycell.id", "sky cell that its footprint overlaps", primary_key=True, index=True),
    *_canvas("bounding box of the overlap", nullable=False),
    _must("area_arcmin2", Float, "area of the overlap summed over chips, square arcmin"),
    sqlite_with_rowid=False,
    comment="which exposures overlap which sky cells",
)

recipe = Table(
    "recipe",
    metadata,
    Column("id", Integer, primary_key=True, comment="key"),
    _must("parameters", Text, "drizzle parameters, JSON", unique=True),
    comment="the few sets of drizzle parameters that layers are to be made with",
)

layer = Table(
    "layer",
    metadata,
    Column("id", Integer, primary_key=True, comment="key"),
    _must("name", String(120), "hst_<skycell>_<instrument>_<detector>_<filter>_<label>", unique=True),
    _reference("skycell_id", "skycell.id", "sky cell", index=True),
    _must("instrument", CaselessText, "acs, wfc3 or wfpc2"),
    _must("detector", CaselessText, "wfc, hrc, sbc, uvis, ir or pc"),
    _must("filter", CaselessText, "the layer's filter"),
    _must("scale", String(6), "fine (0.04 arcsec/pixel) or coarse (0.12)"),
    _must("label", String(40), "all, or coarse-all"),
    _must("kind", String(3), "flc when its members are FLCs, else flt"),
    _must("n_exposures", Integer, "number of members"),
    _must("n_waiting", Integer, "number of members without a file, known from a table alone", server_default=text("0")),
    _must("exptime", Float, "summed exposure time, seconds"),
    _may("expstart", Float, "first start, MJD"),
    _may("expend", Float, "last end, MJD"),
    _must("area_arcmin2", Float, "area that at least one member covers within the cell, square arcmin"),
    _must("mean_exposures", Float, "mean number of exposures over that area"),
    *_canvas("bounding box of its members within the cell", nullable=False),
    _must("members_digest", String(40), "digest of the sorted members"),
    Column("recipe_id", ForeignKey("recipe.id"), nullable=False, comment="its drizzle parameters"),
    _must("recipe_digest", String(40), "digest of members, canvas and parameters"),
    _may("made_digest", String(40), "recipe_digest of its intact product; empty while there is none"),
    _may("failure", Text, "why the last attempt failed; empty after a success"),
    # A column and not only a condition, so that PostgreSQL keeps statistics of it: its planner would otherwise assume
    # that nearly all layers are stale.
    Column(
        "stale",
        Boolean,
        Computed("made_digest IS NULL OR made_digest <> recipe_digest OR failure IS NOT NULL", persisted=True),
        comment="whether it has no intact product as it should be, or failed; the index holds stale layers alone",
    ),
    comment="the layers that should exist, and what they should be made of",
)
Index("ix_layer_filter_skycell_id", layer.c.filter, layer.c.skycell_id)
Index("ix_layer_stale", layer.c.id, sqlite_where=text("stale = 1"), postgresql_where=text("stale"))

layer_member = Table(
    "layer_member",
    metadata,
    _reference("layer_id", "layer.id", "layer", primary_key=True),
    _reference("exposure_id", "exposure.id", "member", primary_key=True, index=True),
    sqlite_with_rowid=False,
    comment="the members that each layer should have",
)

layer_failure = Table(
    "layer_failure",
    metadata,
    Column("layer", String(120), primary_key=True, comment="name of a layer that could not be made"),
    _must("recipe_digest", String(40), "recipe_digest that it was to have"),
    _must("attempts", Integer, "number of failures in a row"),
    _must("since", DateTime, "first of these failures (UTC)"),
    _may("retry_at", DateTime, "when nightly tries it again (UTC); empty: not until its recipe_digest changes"),
    comment="layers that fail, and when they are tried again",
)

product = Table(
    "product",
    metadata,
    Column("id", Integer, primary_key=True, comment="key"),
    _must("layer", String(120), "name of the layer it was made for", unique=True),
    Column(
        "layer_id",
        ForeignKey("layer.id", ondelete="SET NULL"),
        nullable=True,
        index=True,
        comment="that layer; empty when it is expected no more",
    ),
    _must("skycell", String(20), "sky cell", index=True),
    _must("filename", Text, "file name, in <products>/<skycell>/"),
    _must("size", BigInteger, "bytes"),
    _must("mtime_ns", BigInteger, "modification time, ns since 1970"),
    _must("data_digest", String(40), "digest of SCI and WHT"),
    *_canvas("canvas of the product", nullable=False),
    _must("n_members", Integer, "number of members that it holds"),
    _must("recipe", Text, "drizzle parameters, JSON"),
    _must("recipe_digest", String(40), "digest of members, canvas and parameters"),
    _must("state", String(10), "intact, missing or damaged, as last seen"),
    _may("last_action", String(10), "drizzle, add or recanvas; empty when the file was found"),
    _may("last_reasons", Text, "reasons of the last action, JSON"),
    _must("made_at", DateTime, "when it was recorded (UTC)"),
    _may("seconds", Float, "duration of the last action"),
    comment="the mosaics that exist, and what they were made of",
)

product_member = Table(
    "product_member",
    metadata,
    _reference("product_id", "product.id", "product", primary_key=True),
    Column("ipppssoo", String(8), primary_key=True, index=True, comment="member"),
    _must("rootname", String(9), "its ROOTNAME"),
    _must("pixels", String(40), "identity of the pixels that went in"),
    _must("pixel_digest", String(40), "digest of the pixels that went in"),
    _must("wcs_digest", String(40), "digest of the WCS that was used"),
    _must("wcsname", Text, "WCSNAME that was used"),
    _must("sky_group", String(8), "its group of overlapping members"),
    _must("exptime", Float, "seconds"),
    _may("sky", Float, "sky subtracted, electrons/s/arcsec^2; null when none was"),
    sqlite_with_rowid=False,
    comment="the members that each product holds",
)

sky_pair = Table(
    "sky_pair",
    metadata,
    _reference("first_id", "exposure.id", "exposure with the lower identity", primary_key=True),
    _reference("second_id", "exposure.id", "exposure that overlaps it", primary_key=True, index=True),
    Column("measure", String(60), primary_key=True, comment="how it was measured: good DQ bits, clips, sigma, lowest"),
    _must("first_digest", String(40), "member_digest of the first when it was measured"),
    _must("second_digest", String(40), "member_digest of the second when it was measured"),
    _must("first_sky", Float, "sky of the first in the overlap, electrons/s/arcsec^2"),
    _must("second_sky", Float, "sky of the second in the overlap, electrons/s/arcsec^2"),
    _must("first_pixels", Integer, "pixels of the first that it was measured from"),
    _must("second_pixels", Integer, "pixels of the second that it was measured from"),
    sqlite_with_rowid=False,
    comment="the skies of overlapping exposures, so that a new solution need not read old pixels",
)

quarantine = Table(
    "quarantine",
    metadata,
    Column("path", Text, primary_key=True, comment="absolute path"),
    _must("kind", String(20), "short code of the fault"),
    _must("reason", Text, "what was found, what was expected"),
    _must("first_seen", DateTime, "UTC"),
    _may("size", BigInteger, "bytes; empty if unknown"),
    _may("mtime_ns", BigInteger, "modification time, ns since 1970"),
    _must("accepted", Boolean, "whether the user has accepted it as it is, until it changes", server_default=false()),
    comment="files that could not be catalogued",
)

run = Table(
    "run",
    metadata,
    Column("id", Integer, primary_key=True, comment="key, in the order of their starts"),
    _must("command", String(20), "nightly, reconcile, ingest, ..."),
    _must("arguments", Text, "its command line, without passwords, cut at 2000 characters"),
    _must("username", Text, "who ran it"),
    _must("host", Text, "machine that it ran on"),
    _must("pid", Integer, "number of its process there"),
    _must("version", String(40), "version of mvmdb"),
    _must("started_at", DateTime, "UTC", index=True),
    _may("ended_at", DateTime, "UTC; empty while it runs, and for ever if it was killed"),
    _may("exit_code", Integer, "exit code of the command; empty as ended_at"),
    _may("error", Text, "why it could not do its work"),
    _may("report", Text, "report of a night, JSON"),
    comment="runs of commands that may change the catalog",
)

event = Table(
    "event",
    metadata,
    Column("id", Integer, primary_key=True, comment="key, in the order of events"),
    Column(
        "run_id",
        ForeignKey("run.id", ondelete="CASCADE"),
        nullable=True,
        index=True,
        comment="run that it happened in; empty where a program of the user's called mvmdb",
    ),
    _must("at", DateTime, "UTC"),
    _must("kind", String(20), "what happened: exposure-new, layer-drizzled, ..."),
    _may("exposure", String(8), "ipppssoo of the exposure that it concerns"),
    _may("layer", String(120), "name of the layer that it concerns"),
    _may("path", Text, "file that it concerns"),
    _may("detail", Text, "what was found, in words"),
    _may("reasons", Text, "reasons of a layer's action, JSON: [code, exposure, detail] each"),
    _may("n_members", Integer, "number of members of the product"),
    _may("seconds", Float, "duration"),
    _may("size", BigInteger, "bytes of the product"),
    _may("memory_mb", Integer, "peak memory of the worker that made it, MB"),
    comment="what happened to exposures, files and layers, and when; rows are only added, and pruned by age if asked",
)
Index("ix_event_at", event.c.at)
Index(
    "ix_event_exposure",
    event.c.exposure,
    event.c.id,
    sqlite_where=event.c.exposure.is_not(None),
    postgresql_where=event.c.exposure.is_not(None),
)
Index(
    "ix_event_layer",
    event.c.layer,
    event.c.id,
    sqlite_where=event.c.layer.is_not(None),
    postgresql_where=event.c.layer.is_not(None),
)
