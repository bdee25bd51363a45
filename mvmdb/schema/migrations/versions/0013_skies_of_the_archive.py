"""Skies of exposures, solved once for all layers of an archive.

Revision 0013, after 0012.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_COMMENTS = {
    ("layer", "made_digest", 40): (
        "recipe_digest of its intact product; empty while there is none",
        "recipe_digest of its intact product with the solved skies; empty if none",
    ),
    ("product", "last_action", 10): (
        "drizzle, add, recanvas, rescale or adopt; empty when the file was found",
        "drizzle, add, recanvas, shift, rescale or adopt; empty when the file was found",
    ),
}


def upgrade() -> None:
    op.create_table(
        "sky",
        sa.Column("exposure_id", sa.Integer(), nullable=False, comment="exposure"),
        sa.Column(
            "member_digest",
            sa.String(40),
            nullable=False,
            comment="member_digest of the exposure that noise and sky are of",
        ),
        sa.Column("noise", sa.Float(), nullable=False, comment="standard deviation of a pixel, electrons/s/arcsec^2"),
        sa.Column(
            "component",
            sa.String(8),
            nullable=True,
            comment="first exposure of its component of overlapping exposures; empty until it was solved",
        ),
        sa.Column(
            "value",
            sa.Float(),
            nullable=True,
            comment="sky that mosaics subtract, electrons/s/arcsec^2; empty until it was solved",
        ),
        sa.Column("solved_at", sa.DateTime(), nullable=True, comment="when a solution changed the value (UTC)"),
        sa.ForeignKeyConstraint(["exposure_id"], ["exposure.id"], name=op.f("fk_sky_exposure_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("exposure_id", name=op.f("pk_sky")),
        sqlite_with_rowid=False,
        comment="skies of exposures, solved once for all layers; used by the method mvmdb",
    )
    _comment(0, 1)


def _comment(before: int, after: int) -> None:
    """Change comments, of which SQLite keeps none."""
    if op.get_bind().dialect.name == "postgresql":
        for (table, column, length), texts in _COMMENTS.items():
            op.alter_column(
                table, column, existing_type=sa.String(length), existing_nullable=True,
                existing_comment=texts[before], comment=texts[after],
            )  # fmt: skip


def downgrade() -> None:
    _comment(1, 0)
    op.drop_table("sky")
