"""The tables of the catalog, as SQLAlchemy Core; those of runs are in run_tables.py.

Each column's comment states its meaning and unit; docs show them.
Angles are degrees (ICRS), times of observation MJD (UTC), `exptime` seconds, canvas columns 1-based fine pixels of the
sky cell. Instrument, detector and filter compare without regard to case.
"""

from __future__ import annotations

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
    String,
    Table,
    Text,
    false,
    literal_column,
    text,
)

from mvmdb.schema.columns import canvas, may, metadata, must, reference
from mvmdb.schema.run_tables import claim, coordinator, event, run
from mvmdb.schema.shift_tables import APART, APART_PIXELS, placement, shift_pair
from mvmdb.schema.sky_tables import sky, sky_pair
from mvmdb.schema.types import CaselessText

__all__ = [
    "APART",
    "APART_PIXELS",
    "DOUBTFUL",
    "MIXED",
    "alternate",
    "archive",
    "claim",
    "coordinator",
    "dataset",
    "event",
    "exposure",
    "layer",
    "layer_failure",
    "layer_member",
    "membership",
    "metadata",
    "placement",
    "product",
    "product_member",
    "quarantine",
    "recipe",
    "run",
    "shift_pair",
    "sky",
    "sky_pair",
    "skycell",
]

archive = Table(
    "archive",
    metadata,
    Column("key", String(40), primary_key=True, comment="name of a setting"),
    must("value", Text, "its value"),
    comment="the archive's recorded configuration",
)

skycell = Table(
    "skycell",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False, comment="(projection_cell * 21 + y - 1) * 21 + x - 1"),
    must("name", String(20), "skycell-pNNNNxNNyNN", unique=True),
    must("projection_cell", Integer, "0 to 2643"),
    must("x", Integer, "column, 1 to 21"),
    must("y", Integer, "row, 1 to 21"),
    must("ra", Float, "centre, degrees"),
    must("dec", Float, "centre, degrees"),
    *canvas("canvas shared by every layer of the cell", nullable=True),
    comment="sky cells that some exposure overlaps",
)
Index("ix_skycell_dec_ra", skycell.c.dec, skycell.c.ra)

exposure = Table(
    "exposure",
    metadata,
    Column("id", Integer, primary_key=True, comment="key"),
    must("ipppssoo", String(8), "identity: the first 8 characters of ROOTNAME", unique=True),
    must("rootname", String(9), "ROOTNAME of the active dataset"),
    must("kind", String(3), "flt or flc"),
    must("instrument", CaselessText, "acs, wfc3 or wfpc2"),
    must("detector", CaselessText, "wfc, hrc, sbc, uvis, ir or pc"),
    must("filters", CaselessText, "filter wheels joined with ;"),
    must("filter", CaselessText, "the layer's filter"),
    must("proposal_id", Integer, "HST program number", index=True),
    must("program", String(3), "characters 2 to 4 of the root"),
    must("visit", String(2), "characters 5 and 6 of the root"),
    must("target", Text, "TARGNAME"),
    must("exptime", Float, "exposure time, seconds"),
    may("expstart", Float, "start, MJD", index=True),
    may("expend", Float, "end, MJD"),
    may("ra", Float, "centre of the footprint, degrees"),
    may("dec", Float, "centre of the footprint, degrees"),
    must("s_region", Text, "footprint: one POLYGON ICRS per chip, counter-clockwise, open"),
    may("s_region_given", Text, "footprint text as a table gave it"),
    must("n_chips", Integer, "number of SCI extensions"),
    may("wcsname", Text, "WCSNAME"),
    may("distortion", Text, "distortion model of WCSNAME"),
    may("fit", Text, "kind of fit of WCSNAME"),
    may("astrometric_catalog", Text, "astrometric catalog of WCSNAME"),
    may(
        "frame",
        Text,
        "what its positions are tied to, with the alternate: gaia, gsc240-apriori, none, ...; empty without WCSNAME",
    ),
    may("wcs_digest", String(40), "digest of every chip's WCS"),
    may(
        "member_wcs",
        String(40),
        "digest of the WCS that layers use: wcs_digest, or another where there is an alternate",
    ),
    must(
        "alternate",
        Text,
        "solution that layers use: name, ra, dec, dx, dy, roll, scale; empty for the file's own",
        server_default=text("''"),
    ),
    must("pixels", String(40), "identity of the SCI and DQ arrays and their photometry"),
    must("member_digest", String(40), "digest of it as a member of layers: identity, kind, pixels and member_wcs"),
    may("pixel_digest", String(40), "digest of the SCI and DQ arrays, once they were read"),
    may(
        "photflam",
        Float,
        "PHOTFLAM of the chip that stands for it; empty where a chip has none, erg/cm2/Angstrom/electron",
    ),
    may("photmode", Text, "PHOTMODE of that chip"),
    may(
        "photometry", Text, "PHOTFLAM, PHOTMODE, PHOTPLAM and PHOTZPT of each chip, JSON; empty until its file is read"
    ),
    must("eligible", Boolean, "whether it may enter layers"),
    must("ineligible_rule", Text, "eligibility rules that it fails, joined with ;"),
    must("ineligible_reason", Text, "what was found, joined with ;"),
    must("warnings", Text, "what is doubtful but no reason to refuse"),
    must("filename", Text, "file name of the active dataset"),
    must("path", Text, "path of the active dataset"),
    may("withdrawn_at", DateTime, "when it left the archive (UTC)"),
    may("withdrawn_why", Text, "why it left the archive"),
    must(
        "pruned",
        Boolean,
        "whether it left because its file is gone; it returns with the file",
        server_default=false(),
    ),
    must("registered_at", DateTime, "first registered (UTC)"),
    must("changed_at", DateTime, "last change (UTC)"),
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
Index(
    "ix_exposure_withdrawn_at",
    exposure.c.withdrawn_at,
    sqlite_where=exposure.c.withdrawn_at.is_not(None),
    postgresql_where=exposure.c.withdrawn_at.is_not(None),
)
INELIGIBLE = text("ineligible_rule <> ''")
"""Which exposures are ineligible, in the words of the index that holds them alone."""
Index(
    "ix_exposure_ineligible_rule",
    exposure.c.ineligible_rule,
    sqlite_where=INELIGIBLE,
    postgresql_where=INELIGIBLE,
)

dataset = Table(
    "dataset",
    metadata,
    Column("id", Integer, primary_key=True, comment="key"),
    reference("exposure_id", "exposure.id", "exposure that the file holds", index=True),
    must("path", Text, "absolute path", unique=True),
    must("filename", Text, "file name"),
    must("kind", String(3), "flt or flc"),
    must("wcs_rank", Integer, "quality of the astrometric solution, higher is better"),
    must("processed", Float, "PROCTIME, MJD (0 when absent)"),
    must("size", BigInteger, "bytes"),
    must("mtime_ns", BigInteger, "modification time, ns since 1970"),
    must("active", Boolean, "whether the exposure's values come from this file"),
    comment="files of exposures: pipeline and SVM copies, FLT and FLC",
)

membership = Table(
    "membership",
    metadata,
    reference("exposure_id", "exposure.id", "exposure", primary_key=True),
    reference("skycell_id", "skycell.id", "sky cell that its footprint overlaps", primary_key=True, index=True),
    *canvas("bounding box of the overlap", nullable=False),
    must("area_arcmin2", Float, "area of the overlap summed over chips, square arcmin"),
    sqlite_with_rowid=False,
    comment="which exposures overlap which sky cells",
)

alternate = Table(
    "alternate",
    metadata,
    Column("ipppssoo", String(8), primary_key=True, comment="exposure"),
    Column("name", String(40), primary_key=True, comment="name of the solution"),
    must("wcs_digest", String(40), "wcs_digest of the file that it corrects; it holds for no other"),
    must("ra", Float, "point of the correction: middle of the exposure, degrees"),
    must("dec", Float, "point of the correction: middle of the exposure, degrees"),
    must("dx", Float, "shift to the east in the tangent plane there, arcsec"),
    must("dy", Float, "shift to the north, arcsec"),
    must("roll", Float, "turn about the point, from north to east, degrees"),
    must("scale", Float, "factor of distances from the point, a pure number"),
    must("fit", String(8), "what was fitted: shift, rshift or rscale"),
    must("n_sources", Integer, "sources found in the exposure"),
    must("n_reference", Integer, "matches with the reference catalog"),
    must("n_overlap", Integer, "matches with sources of other exposures"),
    must("rms_mas", Float, "rms of the matches' residuals along an axis, milliarcsec"),
    must("reference", Text, "file name of the reference catalog; empty: aligned to each other"),
    must("reference_digest", String(40), "digest of that file"),
    must("made_at", DateTime, "when it was computed (UTC)"),
    comment="alternate solutions of exposures, which layers may be told to use",
)
"""Not tied to rows of `exposure`: a solution outlives an exposure that leaves, and waits for one that comes."""

recipe = Table(
    "recipe",
    metadata,
    Column("id", Integer, primary_key=True, comment="key"),
    must("parameters", Text, "drizzle parameters, JSON", unique=True),
    comment="the few sets of drizzle parameters that layers are to be made with",
)

layer = Table(
    "layer",
    metadata,
    Column("id", Integer, primary_key=True, comment="key"),
    must("name", String(120), "hst_<skycell>_<instrument>_<detector>_<filter>_<label>", unique=True),
    reference("skycell_id", "skycell.id", "sky cell", index=True),
    must("instrument", CaselessText, "acs, wfc3 or wfpc2"),
    must("detector", CaselessText, "wfc, hrc, sbc, uvis, ir or pc"),
    must("filter", CaselessText, "the layer's filter"),
    must("scale", String(6), "fine (0.04 arcsec/pixel) or coarse (0.12)"),
    must("label", String(40), "all, or coarse-all"),
    must("kind", String(3), "flc when its members are FLCs, else flt"),
    must("n_exposures", Integer, "number of members"),
    must("n_waiting", Integer, "number of members without a file, known from a table alone", server_default=text("0")),
    must("exptime", Float, "summed exposure time, seconds"),
    may("expstart", Float, "first start, MJD"),
    may("expend", Float, "last end, MJD"),
    must("area_arcmin2", Float, "area that at least one member covers within the cell, square arcmin"),
    must("mean_exposures", Float, "mean number of exposures over that area"),
    may("frames", Text, "number of members of each frame, the most first: gaia 3, gsc240-apriori 1"),
    may("mixed_arcmin2", Float, "area that members of different frames cover within the cell, square arcmin"),
    *canvas("bounding box of its members within the cell", nullable=False),
    must("members_digest", String(40), "digest of the sorted members"),
    Column("recipe_id", ForeignKey("recipe.id"), nullable=False, comment="its drizzle parameters"),
    must("recipe_digest", String(40), "digest of members, canvas and parameters"),
    may(
        "made_digest",
        String(40),
        "recipe_digest of its intact product with the solved skies; empty if none",
    ),
    may("failure", Text, "why the last attempt failed; empty after a success"),
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
MIXED = layer.c.mixed_arcmin2 > literal_column("0")
"""Which layers mix frames, in the words of the index that holds them alone: a bound value would not be known as 0."""
Index("ix_layer_mixed_arcmin2", layer.c.mixed_arcmin2, sqlite_where=MIXED, postgresql_where=MIXED)
Index("ix_layer_stale", layer.c.id, sqlite_where=text("stale = 1"), postgresql_where=text("stale"))

layer_member = Table(
    "layer_member",
    metadata,
    reference("layer_id", "layer.id", "layer", primary_key=True),
    reference("exposure_id", "exposure.id", "member", primary_key=True, index=True),
    sqlite_with_rowid=False,
    comment="the members that each layer should have",
)

layer_failure = Table(
    "layer_failure",
    metadata,
    Column("layer", String(120), primary_key=True, comment="name of a layer that could not be made"),
    must("recipe_digest", String(40), "recipe_digest that it was to have"),
    must("attempts", Integer, "number of failures in a row"),
    must("since", DateTime, "first of these failures (UTC)"),
    may("retry_at", DateTime, "when nightly tries it again (UTC); empty: not until its recipe_digest changes"),
    comment="layers that fail, and when they are tried again",
)

product = Table(
    "product",
    metadata,
    Column("id", Integer, primary_key=True, comment="key"),
    must("layer", String(120), "name of the layer it was made for", unique=True),
    Column(
        "layer_id",
        ForeignKey("layer.id", ondelete="SET NULL"),
        nullable=True,
        index=True,
        comment="that layer; empty when it is expected no more",
    ),
    must("skycell", String(20), "sky cell", index=True),
    must("filename", Text, "file name, in <products>/<skycell>/"),
    must("size", BigInteger, "bytes"),
    must("mtime_ns", BigInteger, "modification time, ns since 1970"),
    must("data_digest", String(40), "digest of SCI and WHT; of the whole file if another program made it"),
    *canvas("canvas of the product", nullable=False),
    must("n_members", Integer, "number of members that it holds"),
    must("recipe", Text, "drizzle parameters, JSON"),
    must("recipe_digest", String(40), "digest of members, canvas and parameters"),
    must("state", String(10), "intact, missing or damaged, as last seen"),
    must(
        "proof",
        String(8),
        "whether it says which pixels it holds: proven; unproven (another program made it), or trusted: taken as fresh",
        server_default=text("'proven'"),
    ),
    may("last_action", String(10), "drizzle, add, recanvas, shift, rescale or adopt; empty when the file was found"),
    may("last_reasons", Text, "reasons of the last action, JSON"),
    must("made_at", DateTime, "when it was recorded (UTC)"),
    may("seconds", Float, "duration of the last action"),
    comment="the mosaics that exist, and what they were made of",
)
UNPROVEN = text("proof <> 'proven'")
"""Which products another program made, in the words of the index that holds them alone."""
Index("ix_product_proof", product.c.proof, sqlite_where=UNPROVEN, postgresql_where=UNPROVEN)

product_member = Table(
    "product_member",
    metadata,
    reference("product_id", "product.id", "product", primary_key=True),
    Column("ipppssoo", String(8), primary_key=True, index=True, comment="member"),
    must("rootname", String(9), "its ROOTNAME"),
    must("pixels", String(40), "identity of the pixels that went in"),
    must("pixel_digest", String(40), "digest of the pixels that went in"),
    must("wcs_digest", String(40), "digest of the WCS that was used"),
    must("wcsname", Text, "WCSNAME that was used"),
    must("sky_group", String(8), "its group of overlapping members"),
    must("exptime", Float, "seconds"),
    may("sky", Float, "sky subtracted, electrons/s/arcsec^2; null when none was"),
    may(
        "photflam",
        Float,
        "its photflam when it was drizzled or rescaled; empty if it had none, erg/cm2/Angstrom/electron",
    ),
    may("photscale", Float, "factor of the electrons of the chip of photflam, a pure number; empty if not recorded"),
    may("photometry", Text, "its photometry then, JSON; empty if not recorded"),
    sqlite_with_rowid=False,
    comment="the members that each product holds",
)

quarantine = Table(
    "quarantine",
    metadata,
    Column("path", Text, primary_key=True, comment="absolute path"),
    must("kind", String(20), "short code of the fault"),
    must("reason", Text, "what was found, what was expected"),
    must("first_seen", DateTime, "UTC"),
    may("size", BigInteger, "bytes; empty if unknown"),
    may("mtime_ns", BigInteger, "modification time, ns since 1970"),
    must("accepted", Boolean, "whether the user has accepted it as it is, until it changes", server_default=false()),
    comment="files that could not be catalogued",
)
