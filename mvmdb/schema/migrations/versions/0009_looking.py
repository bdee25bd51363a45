"""What is seen of the archive: the frames of exposures and layers; views are made anew by each upgrade.

Frames of exposures are filled in here, by the rules that mvmdb/frames.py had then. Those of layers need geometry: the
command that upgrades computes them next (catalog/layers/frames.py).

Revision 0009, after 0008.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_OF_ALTERNATE = """
UPDATE exposure SET frame = (
    SELECT CASE WHEN a.reference = '' THEN 'aligned-' || lower(a.name) ELSE a.reference END
    FROM alternate a
    WHERE a.ipppssoo = exposure.ipppssoo AND a.name = (SELECT value FROM archive WHERE key = 'alternate'))
WHERE alternate <> ''
"""
_OF_FILE = """
UPDATE exposure SET frame = CASE
    WHEN trim(coalesce(wcsname, '')) = '' THEN NULL
    WHEN distortion IS NULL AND upper(trim(wcsname)) = 'OPUS' THEN 'none'
    WHEN distortion IS NULL AND upper(trim(wcsname)) LIKE 'OPUS-%' AND lower(wcsname) LIKE '%gaia%' THEN 'gaia-apriori'
    WHEN distortion IS NULL AND upper(trim(wcsname)) LIKE 'OPUS-%' THEN lower(substr(trim(wcsname), 6)) || '-apriori'
    WHEN distortion IS NULL AND lower(wcsname) LIKE '%gaia%' THEN 'gaia'
    WHEN distortion IS NULL THEN lower(trim(wcsname))
    WHEN astrometric_catalog IS NULL THEN 'none'
    WHEN lower(astrometric_catalog) LIKE '%gaia%' THEN CASE WHEN fit = 'APRIORI' THEN 'gaia-apriori' ELSE 'gaia' END
    ELSE lower(trim(astrometric_catalog)) || CASE WHEN fit = 'APRIORI' THEN '-apriori' ELSE '' END
END
WHERE alternate = ''
"""

_OPUS = "upper(trim(wcsname)) LIKE 'OPUS-_%'"
_A_PRIORI = f"""
UPDATE exposure SET fit = 'APRIORI', astrometric_catalog = substr(trim(wcsname), 6)
WHERE distortion IS NULL AND {_OPUS}
"""
_RANK = f"""
UPDATE dataset SET wcs_rank = (
    SELECT 200 + CASE upper(substr(trim(wcsname), 6))
        WHEN 'HSC30' THEN 30 WHEN 'GSC242' THEN 20 WHEN 'GSC240' THEN 10 ELSE 0 END
    FROM exposure WHERE exposure.id = dataset.exposure_id)
WHERE active AND exposure_id IN (SELECT id FROM exposure WHERE {_OPUS})
"""
"""Of active files: solutions without a distortion model were taken for those of a user, which rank above fits to Gaia."""


def upgrade() -> None:
    op.add_column(
        "exposure",
        sa.Column(
            "frame",
            sa.Text(),
            nullable=True,
            comment=(
                "what its positions are tied to, with the alternate: gaia, gsc240-apriori, none, ...; "
                "empty without WCSNAME"
            ),
        ),
    )
    op.add_column(
        "layer",
        sa.Column(
            "frames",
            sa.Text(),
            nullable=True,
            comment="number of members of each frame, the most first: gaia 3, gsc240-apriori 1",
        ),
    )
    op.add_column(
        "layer",
        sa.Column(
            "mixed_arcmin2",
            sa.Float(),
            nullable=True,
            comment="area that members of different frames cover within the cell, square arcmin",
        ),
    )
    where = sa.text("mixed_arcmin2 > 0")
    op.create_index("ix_layer_mixed_arcmin2", "layer", ["mixed_arcmin2"], sqlite_where=where, postgresql_where=where)
    op.execute(sa.text(_OF_FILE))
    op.execute(sa.text(_A_PRIORI))
    op.execute(sa.text(_RANK))
    _name_references()


def _name_references() -> None:
    """The frames of exposures whose alternate was fitted to a catalog: there are few files of such catalogs."""
    bind = op.get_bind()
    op.execute(sa.text(_OF_ALTERNATE))
    query = "SELECT DISTINCT reference FROM alternate WHERE reference <> ''"
    for name in bind.execute(sa.text(query)).scalars().all():
        frame = (name.rpartition(".")[0] or name).strip().lower()
        values = {"frame": "gaia" if "gaia" in frame else frame, "name": name}
        bind.execute(sa.text("UPDATE exposure SET frame = :frame WHERE alternate <> '' AND frame = :name"), values)


def downgrade() -> None:
    op.drop_index("ix_layer_mixed_arcmin2", table_name="layer")
    op.drop_column("layer", "mixed_arcmin2")
    op.drop_column("layer", "frames")
    op.drop_column("exposure", "frame")
