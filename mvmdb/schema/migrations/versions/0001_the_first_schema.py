"""the first schema"""

import sqlalchemy as sa
from alembic import op

from mvmdb.schema.types import CaselessText

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "archive",
        sa.Column("key", sa.String(length=40), nullable=False, comment="name of a setting"),
        sa.Column("value", sa.Text(), nullable=False, comment="its value"),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_archive")),
        comment="the archive's recorded configuration",
    )
    op.create_table(
        "exposure",
        sa.Column("id", sa.Integer(), nullable=False, comment="key"),
        sa.Column(
            "ipppssoo", sa.String(length=8), nullable=False, comment="identity: the first 8 characters of ROOTNAME"
        ),
        sa.Column("rootname", sa.String(length=9), nullable=False, comment="ROOTNAME of the active dataset"),
        sa.Column("kind", sa.String(length=3), nullable=False, comment="flt or flc"),
        sa.Column("instrument", CaselessText(), nullable=False, comment="acs, wfc3 or wfpc2"),
        sa.Column("detector", CaselessText(), nullable=False, comment="wfc, hrc, sbc, uvis, ir or pc"),
        sa.Column("filters", CaselessText(), nullable=False, comment="filter wheels joined with ;"),
        sa.Column("filter", CaselessText(), nullable=False, comment="the layer's filter"),
        sa.Column("proposal_id", sa.Integer(), nullable=False, comment="HST program number"),
        sa.Column("program", sa.String(length=3), nullable=False, comment="characters 2 to 4 of the root"),
        sa.Column("visit", sa.String(length=2), nullable=False, comment="characters 5 and 6 of the root"),
        sa.Column("target", sa.Text(), nullable=False, comment="TARGNAME"),
        sa.Column("exptime", sa.Float(), nullable=False, comment="exposure time, seconds"),
        sa.Column("expstart", sa.Float(), nullable=True, comment="start, MJD"),
        sa.Column("expend", sa.Float(), nullable=True, comment="end, MJD"),
        sa.Column("ra", sa.Float(), nullable=True, comment="centre of the footprint, degrees"),
        sa.Column("dec", sa.Float(), nullable=True, comment="centre of the footprint, degrees"),
        sa.Column(
            "s_region", sa.Text(), nullable=False, comment="footprint: one POLYGON ICRS a chip, counter-clockwise, open"
        ),
        sa.Column("s_region_given", sa.Text(), nullable=True, comment="footprint text as a table gave it"),
        sa.Column("n_chips", sa.Integer(), nullable=False, comment="number of SCI extensions"),
        sa.Column("wcsname", sa.Text(), nullable=True, comment="WCSNAME"),
        sa.Column("distortion", sa.Text(), nullable=True, comment="distortion model of WCSNAME"),
        sa.Column("fit", sa.Text(), nullable=True, comment="kind of fit of WCSNAME"),
        sa.Column("astrometric_catalog", sa.Text(), nullable=True, comment="astrometric catalog of WCSNAME"),
        sa.Column("wcs_digest", sa.String(length=40), nullable=True, comment="digest of every chip's WCS"),
        sa.Column("pixels", sa.String(length=40), nullable=False, comment="identity of the SCI and DQ arrays"),
        sa.Column(
            "member_digest",
            sa.String(length=40),
            nullable=False,
            comment="digest of it as a member of layers: identity, kind, pixels and WCS",
        ),
        sa.Column(
            "pixel_digest",
            sa.String(length=40),
            nullable=True,
            comment="digest of the SCI and DQ arrays, once they were read",
        ),
        sa.Column("eligible", sa.Boolean(), nullable=False, comment="whether it may enter layers"),
        sa.Column(
            "ineligible_rule", sa.Text(), nullable=False, comment="eligibility rules that it fails, joined with ;"
        ),
        sa.Column("ineligible_reason", sa.Text(), nullable=False, comment="what was found, joined with ;"),
        sa.Column("warnings", sa.Text(), nullable=False, comment="what is doubtful but no reason to refuse"),
        sa.Column("filename", sa.Text(), nullable=False, comment="file name of the active dataset"),
        sa.Column("path", sa.Text(), nullable=False, comment="path of the active dataset"),
        sa.Column("withdrawn_at", sa.DateTime(), nullable=True, comment="when it left the archive (UTC)"),
        sa.Column("withdrawn_why", sa.Text(), nullable=True, comment="why it left the archive"),
        sa.Column("registered_at", sa.DateTime(), nullable=False, comment="first registered (UTC)"),
        sa.Column("changed_at", sa.DateTime(), nullable=False, comment="last change (UTC)"),
        sa.CheckConstraint("kind IN ('flt', 'flc')", name=op.f("ck_exposure_kind")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_exposure")),
        sa.UniqueConstraint("ipppssoo", name=op.f("uq_exposure_ipppssoo")),
        comment="one row an exposure: the values of its active dataset",
    )
    with op.batch_alter_table("exposure", schema=None) as batch_op:
        batch_op.create_index("ix_exposure_dec_ra", ["dec", "ra"], unique=False)
        batch_op.create_index(batch_op.f("ix_exposure_expstart"), ["expstart"], unique=False)
        batch_op.create_index(
            "ix_exposure_instrument_detector_filter", ["instrument", "detector", "filter"], unique=False
        )
        batch_op.create_index(batch_op.f("ix_exposure_proposal_id"), ["proposal_id"], unique=False)

    op.create_table(
        "quarantine",
        sa.Column("path", sa.Text(), nullable=False, comment="absolute path"),
        sa.Column("kind", sa.String(length=20), nullable=False, comment="short code of the fault"),
        sa.Column("reason", sa.Text(), nullable=False, comment="what was found, what was expected"),
        sa.Column("first_seen", sa.DateTime(), nullable=False, comment="UTC"),
        sa.PrimaryKeyConstraint("path", name=op.f("pk_quarantine")),
        comment="files that could not be catalogued",
    )
    op.create_table(
        "recipe",
        sa.Column("id", sa.Integer(), nullable=False, comment="key"),
        sa.Column("parameters", sa.Text(), nullable=False, comment="drizzle parameters, JSON"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recipe")),
        sa.UniqueConstraint("parameters", name=op.f("uq_recipe_parameters")),
        comment="the few sets of drizzle parameters that layers are to be made with",
    )
    op.create_table(
        "skycell",
        sa.Column(
            "id",
            sa.Integer(),
            autoincrement=False,
            nullable=False,
            comment="(projection_cell * 21 + y - 1) * 21 + x - 1",
        ),
        sa.Column("name", sa.String(length=20), nullable=False, comment="skycell-pNNNNxNNyNN"),
        sa.Column("projection_cell", sa.Integer(), nullable=False, comment="0 to 2643"),
        sa.Column("x", sa.Integer(), nullable=False, comment="column, 1 to 21"),
        sa.Column("y", sa.Integer(), nullable=False, comment="row, 1 to 21"),
        sa.Column("ra", sa.Float(), nullable=False, comment="centre, degrees"),
        sa.Column("dec", sa.Float(), nullable=False, comment="centre, degrees"),
        sa.Column(
            "x_min", sa.Integer(), nullable=True, comment="canvas shared by every layer of the cell: x_min, fine pixels"
        ),
        sa.Column(
            "x_max", sa.Integer(), nullable=True, comment="canvas shared by every layer of the cell: x_max, fine pixels"
        ),
        sa.Column(
            "y_min", sa.Integer(), nullable=True, comment="canvas shared by every layer of the cell: y_min, fine pixels"
        ),
        sa.Column(
            "y_max", sa.Integer(), nullable=True, comment="canvas shared by every layer of the cell: y_max, fine pixels"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_skycell")),
        sa.UniqueConstraint("name", name=op.f("uq_skycell_name")),
        comment="sky cells that some exposure overlaps",
    )
    with op.batch_alter_table("skycell", schema=None) as batch_op:
        batch_op.create_index("ix_skycell_dec_ra", ["dec", "ra"], unique=False)

    op.create_table(
        "dataset",
        sa.Column("id", sa.Integer(), nullable=False, comment="key"),
        sa.Column("exposure_id", sa.Integer(), nullable=False, comment="exposure that the file holds"),
        sa.Column("path", sa.Text(), nullable=False, comment="absolute path"),
        sa.Column("filename", sa.Text(), nullable=False, comment="file name"),
        sa.Column("kind", sa.String(length=3), nullable=False, comment="flt or flc"),
        sa.Column(
            "wcs_rank", sa.Integer(), nullable=False, comment="quality of the astrometric solution, higher is better"
        ),
        sa.Column("processed", sa.Float(), nullable=False, comment="PROCTIME, MJD (0 when absent)"),
        sa.Column("size", sa.BigInteger(), nullable=False, comment="bytes"),
        sa.Column("mtime_ns", sa.BigInteger(), nullable=False, comment="modification time, ns since 1970"),
        sa.Column("active", sa.Boolean(), nullable=False, comment="whether the exposure's values come from this file"),
        sa.ForeignKeyConstraint(
            ["exposure_id"], ["exposure.id"], name=op.f("fk_dataset_exposure_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dataset")),
        sa.UniqueConstraint("path", name=op.f("uq_dataset_path")),
        comment="files of exposures: pipeline and SVM copies, FLT and FLC",
    )
    with op.batch_alter_table("dataset", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_dataset_exposure_id"), ["exposure_id"], unique=False)

    op.create_table(
        "layer",
        sa.Column("id", sa.Integer(), nullable=False, comment="key"),
        sa.Column(
            "name",
            sa.String(length=120),
            nullable=False,
            comment="hst_<skycell>_<instrument>_<detector>_<filter>_<label>",
        ),
        sa.Column("skycell_id", sa.Integer(), nullable=False, comment="sky cell"),
        sa.Column("instrument", CaselessText(), nullable=False, comment="acs, wfc3 or wfpc2"),
        sa.Column("detector", CaselessText(), nullable=False, comment="wfc, hrc, sbc, uvis, ir or pc"),
        sa.Column("filter", CaselessText(), nullable=False, comment="the layer's filter"),
        sa.Column("scale", sa.String(length=6), nullable=False, comment="fine (0.04 arcsec/pixel) or coarse (0.12)"),
        sa.Column("label", sa.String(length=40), nullable=False, comment="all, or coarse-all"),
        sa.Column("kind", sa.String(length=3), nullable=False, comment="flc when its members are FLCs, else flt"),
        sa.Column("n_exposures", sa.Integer(), nullable=False, comment="number of members"),
        sa.Column("exptime", sa.Float(), nullable=False, comment="summed exposure time, seconds"),
        sa.Column("expstart", sa.Float(), nullable=True, comment="first start, MJD"),
        sa.Column("expend", sa.Float(), nullable=True, comment="last end, MJD"),
        sa.Column(
            "area_arcmin2",
            sa.Float(),
            nullable=False,
            comment="area that at least one member covers within the cell, square arcmin",
        ),
        sa.Column("mean_exposures", sa.Float(), nullable=False, comment="mean number of exposures over that area"),
        sa.Column(
            "x_min",
            sa.Integer(),
            nullable=False,
            comment="bounding box of its members within the cell: x_min, fine pixels",
        ),
        sa.Column(
            "x_max",
            sa.Integer(),
            nullable=False,
            comment="bounding box of its members within the cell: x_max, fine pixels",
        ),
        sa.Column(
            "y_min",
            sa.Integer(),
            nullable=False,
            comment="bounding box of its members within the cell: y_min, fine pixels",
        ),
        sa.Column(
            "y_max",
            sa.Integer(),
            nullable=False,
            comment="bounding box of its members within the cell: y_max, fine pixels",
        ),
        sa.Column("members_digest", sa.String(length=40), nullable=False, comment="digest of the sorted members"),
        sa.Column("recipe_id", sa.Integer(), nullable=False, comment="its drizzle parameters"),
        sa.Column(
            "recipe_digest", sa.String(length=40), nullable=False, comment="digest of members, canvas and parameters"
        ),
        sa.Column(
            "made_digest",
            sa.String(length=40),
            nullable=True,
            comment="recipe_digest of its intact product; empty while there is none",
        ),
        sa.Column("failure", sa.Text(), nullable=True, comment="why the last attempt failed; empty after a success"),
        sa.Column(
            "stale",
            sa.Boolean(),
            sa.Computed("made_digest IS NULL OR made_digest <> recipe_digest OR failure IS NOT NULL", persisted=True),
            nullable=True,
            comment="whether it has no intact product as it should be, or failed; the index holds stale layers alone",
        ),
        sa.ForeignKeyConstraint(["recipe_id"], ["recipe.id"], name=op.f("fk_layer_recipe_id")),
        sa.ForeignKeyConstraint(["skycell_id"], ["skycell.id"], name=op.f("fk_layer_skycell_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_layer")),
        sa.UniqueConstraint("name", name=op.f("uq_layer_name")),
        comment="the layers that should exist, and what they should be made of",
    )
    with op.batch_alter_table("layer", schema=None) as batch_op:
        batch_op.create_index("ix_layer_filter_skycell_id", ["filter", "skycell_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_layer_skycell_id"), ["skycell_id"], unique=False)
        batch_op.create_index(
            "ix_layer_stale", ["id"], unique=False, sqlite_where=sa.text("stale = 1"), postgresql_where=sa.text("stale")
        )

    op.create_table(
        "membership",
        sa.Column("exposure_id", sa.Integer(), nullable=False, comment="exposure"),
        sa.Column("skycell_id", sa.Integer(), nullable=False, comment="sky cell that its footprint overlaps"),
        sa.Column("x_min", sa.Integer(), nullable=False, comment="bounding box of the overlap: x_min, fine pixels"),
        sa.Column("x_max", sa.Integer(), nullable=False, comment="bounding box of the overlap: x_max, fine pixels"),
        sa.Column("y_min", sa.Integer(), nullable=False, comment="bounding box of the overlap: y_min, fine pixels"),
        sa.Column("y_max", sa.Integer(), nullable=False, comment="bounding box of the overlap: y_max, fine pixels"),
        sa.Column(
            "area_arcmin2", sa.Float(), nullable=False, comment="area of the overlap summed over chips, square arcmin"
        ),
        sa.ForeignKeyConstraint(
            ["exposure_id"], ["exposure.id"], name=op.f("fk_membership_exposure_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["skycell_id"], ["skycell.id"], name=op.f("fk_membership_skycell_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("exposure_id", "skycell_id", name=op.f("pk_membership")),
        comment="which exposures overlap which sky cells",
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("membership", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_membership_skycell_id"), ["skycell_id"], unique=False)

    op.create_table(
        "sky_pair",
        sa.Column("first_id", sa.Integer(), nullable=False, comment="exposure with the lower identity"),
        sa.Column("second_id", sa.Integer(), nullable=False, comment="exposure that overlaps it"),
        sa.Column(
            "measure",
            sa.String(length=60),
            nullable=False,
            comment="how it was measured: good DQ bits, clips, sigma, lowest",
        ),
        sa.Column(
            "first_digest",
            sa.String(length=40),
            nullable=False,
            comment="member_digest of the first when it was measured",
        ),
        sa.Column(
            "second_digest",
            sa.String(length=40),
            nullable=False,
            comment="member_digest of the second when it was measured",
        ),
        sa.Column(
            "first_sky", sa.Float(), nullable=False, comment="sky of the first in the overlap, electrons/s/arcsec^2"
        ),
        sa.Column(
            "second_sky", sa.Float(), nullable=False, comment="sky of the second in the overlap, electrons/s/arcsec^2"
        ),
        sa.Column(
            "first_pixels", sa.Integer(), nullable=False, comment="pixels of the first that it was measured from"
        ),
        sa.Column(
            "second_pixels", sa.Integer(), nullable=False, comment="pixels of the second that it was measured from"
        ),
        sa.ForeignKeyConstraint(["first_id"], ["exposure.id"], name=op.f("fk_sky_pair_first_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["second_id"], ["exposure.id"], name=op.f("fk_sky_pair_second_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("first_id", "second_id", "measure", name=op.f("pk_sky_pair")),
        comment="the skies of overlapping exposures, so that a new solution need not read old pixels",
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("sky_pair", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_sky_pair_second_id"), ["second_id"], unique=False)

    op.create_table(
        "layer_member",
        sa.Column("layer_id", sa.Integer(), nullable=False, comment="layer"),
        sa.Column("exposure_id", sa.Integer(), nullable=False, comment="member"),
        sa.ForeignKeyConstraint(
            ["exposure_id"], ["exposure.id"], name=op.f("fk_layer_member_exposure_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["layer_id"], ["layer.id"], name=op.f("fk_layer_member_layer_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("layer_id", "exposure_id", name=op.f("pk_layer_member")),
        comment="the members that each layer should have",
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("layer_member", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_layer_member_exposure_id"), ["exposure_id"], unique=False)

    op.create_table(
        "product",
        sa.Column("id", sa.Integer(), nullable=False, comment="key"),
        sa.Column("layer", sa.String(length=120), nullable=False, comment="name of the layer it was made for"),
        sa.Column("layer_id", sa.Integer(), nullable=True, comment="that layer; empty when it is expected no more"),
        sa.Column("skycell", sa.String(length=20), nullable=False, comment="sky cell"),
        sa.Column("filename", sa.Text(), nullable=False, comment="file name, in <products>/<skycell>/"),
        sa.Column("size", sa.BigInteger(), nullable=False, comment="bytes"),
        sa.Column("mtime_ns", sa.BigInteger(), nullable=False, comment="modification time, ns since 1970"),
        sa.Column("data_digest", sa.String(length=40), nullable=False, comment="digest of SCI and WHT"),
        sa.Column("x_min", sa.Integer(), nullable=False, comment="canvas of the product: x_min, fine pixels"),
        sa.Column("x_max", sa.Integer(), nullable=False, comment="canvas of the product: x_max, fine pixels"),
        sa.Column("y_min", sa.Integer(), nullable=False, comment="canvas of the product: y_min, fine pixels"),
        sa.Column("y_max", sa.Integer(), nullable=False, comment="canvas of the product: y_max, fine pixels"),
        sa.Column("n_members", sa.Integer(), nullable=False, comment="number of members that it holds"),
        sa.Column("recipe", sa.Text(), nullable=False, comment="drizzle parameters, JSON"),
        sa.Column(
            "recipe_digest", sa.String(length=40), nullable=False, comment="digest of members, canvas and parameters"
        ),
        sa.Column("state", sa.String(length=10), nullable=False, comment="intact, missing or damaged, as last seen"),
        sa.Column(
            "last_action",
            sa.String(length=10),
            nullable=True,
            comment="drizzle, add or recanvas; empty when the file was found",
        ),
        sa.Column("last_reasons", sa.Text(), nullable=True, comment="reasons of the last action, JSON"),
        sa.Column("made_at", sa.DateTime(), nullable=False, comment="when it was recorded (UTC)"),
        sa.Column("seconds", sa.Float(), nullable=True, comment="duration of the last action"),
        sa.ForeignKeyConstraint(["layer_id"], ["layer.id"], name=op.f("fk_product_layer_id"), ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_product")),
        sa.UniqueConstraint("layer", name=op.f("uq_product_layer")),
        comment="the mosaics that exist, and what they were made of",
    )
    with op.batch_alter_table("product", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_product_layer_id"), ["layer_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_product_skycell"), ["skycell"], unique=False)

    op.create_table(
        "product_member",
        sa.Column("product_id", sa.Integer(), nullable=False, comment="product"),
        sa.Column("ipppssoo", sa.String(length=8), nullable=False, comment="member"),
        sa.Column("rootname", sa.String(length=9), nullable=False, comment="its ROOTNAME"),
        sa.Column("pixels", sa.String(length=40), nullable=False, comment="identity of the pixels that went in"),
        sa.Column("pixel_digest", sa.String(length=40), nullable=False, comment="digest of the pixels that went in"),
        sa.Column("wcs_digest", sa.String(length=40), nullable=False, comment="digest of the WCS that was used"),
        sa.Column("wcsname", sa.Text(), nullable=False, comment="WCSNAME that was used"),
        sa.Column("sky_group", sa.String(length=8), nullable=False, comment="its group of overlapping members"),
        sa.Column("exptime", sa.Float(), nullable=False, comment="seconds"),
        sa.Column("sky", sa.Float(), nullable=True, comment="sky subtracted, electrons/s/arcsec^2; null when none was"),
        sa.ForeignKeyConstraint(
            ["product_id"], ["product.id"], name=op.f("fk_product_member_product_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("product_id", "ipppssoo", name=op.f("pk_product_member")),
        comment="the members that each product holds",
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("product_member", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_product_member_ipppssoo"), ["ipppssoo"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("product_member", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_product_member_ipppssoo"))

    op.drop_table("product_member")
    with op.batch_alter_table("product", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_product_skycell"))
        batch_op.drop_index(batch_op.f("ix_product_layer_id"))

    op.drop_table("product")
    with op.batch_alter_table("layer_member", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_layer_member_exposure_id"))

    op.drop_table("layer_member")
    with op.batch_alter_table("sky_pair", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_sky_pair_second_id"))

    op.drop_table("sky_pair")
    with op.batch_alter_table("membership", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_membership_skycell_id"))

    op.drop_table("membership")
    with op.batch_alter_table("layer", schema=None) as batch_op:
        batch_op.drop_index("ix_layer_stale", sqlite_where=sa.text("stale = 1"), postgresql_where=sa.text("stale"))
        batch_op.drop_index(batch_op.f("ix_layer_skycell_id"))
        batch_op.drop_index("ix_layer_filter_skycell_id")

    op.drop_table("layer")
    with op.batch_alter_table("dataset", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_dataset_exposure_id"))

    op.drop_table("dataset")
    with op.batch_alter_table("skycell", schema=None) as batch_op:
        batch_op.drop_index("ix_skycell_dec_ra")

    op.drop_table("skycell")
    op.drop_table("recipe")
    op.drop_table("quarantine")
    with op.batch_alter_table("exposure", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_exposure_proposal_id"))
        batch_op.drop_index("ix_exposure_instrument_detector_filter")
        batch_op.drop_index(batch_op.f("ix_exposure_expstart"))
        batch_op.drop_index("ix_exposure_dec_ra")

    op.drop_table("exposure")
    op.drop_table("archive")
