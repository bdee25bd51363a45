"""Alternate solutions of exposures, and which of them layers use.

Revision 0008, after 0007.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_OF_DIGEST = (
    "digest of it as a member of layers: identity, kind, pixels and WCS",
    "digest of it as a member of layers: identity, kind, pixels and member_wcs",
)


def upgrade() -> None:
    op.create_table(
        "alternate",
        sa.Column("ipppssoo", sa.String(8), nullable=False, comment="exposure"),
        sa.Column("name", sa.String(40), nullable=False, comment="name of the solution"),
        sa.Column("wcs_digest", sa.String(40), nullable=False, comment="wcs_digest of the file that it corrects; it holds for no other"),
        sa.Column("ra", sa.Float(), nullable=False, comment="point of the correction: middle of the exposure, degrees"),
        sa.Column("dec", sa.Float(), nullable=False, comment="point of the correction: middle of the exposure, degrees"),
        sa.Column("dx", sa.Float(), nullable=False, comment="shift to the east in the tangent plane there, arcsec"),
        sa.Column("dy", sa.Float(), nullable=False, comment="shift to the north, arcsec"),
        sa.Column("roll", sa.Float(), nullable=False, comment="turn about the point, from north to east, degrees"),
        sa.Column("scale", sa.Float(), nullable=False, comment="factor of distances from the point, a pure number"),
        sa.Column("fit", sa.String(8), nullable=False, comment="what was fitted: shift, rshift or rscale"),
        sa.Column("n_sources", sa.Integer(), nullable=False, comment="sources found in the exposure"),
        sa.Column("n_reference", sa.Integer(), nullable=False, comment="matches with the reference catalog"),
        sa.Column("n_overlap", sa.Integer(), nullable=False, comment="matches with sources of other exposures"),
        sa.Column("rms_mas", sa.Float(), nullable=False, comment="rms of the matches' residuals along an axis, milliarcsec"),
        sa.Column("reference", sa.Text(), nullable=False, comment="file name of the reference catalog; empty: aligned to each other"),
        sa.Column("reference_digest", sa.String(40), nullable=False, comment="digest of that file"),
        sa.Column("made_at", sa.DateTime(), nullable=False, comment="when it was computed (UTC)"),
        sa.PrimaryKeyConstraint("ipppssoo", "name", name=op.f("pk_alternate")),
        comment="alternate solutions of exposures, which layers may be told to use",
    )  # fmt: skip
    op.add_column(
        "exposure",
        sa.Column(
            "alternate",
            sa.Text(),
            server_default=sa.text("''"),
            nullable=False,
            comment="solution that layers use: name, ra, dec, dx, dy, roll, scale; empty for the file's own",
        ),
    )
    op.add_column(
        "exposure",
        sa.Column(
            "member_wcs",
            sa.String(40),
            nullable=True,
            comment="digest of the WCS that layers use: wcs_digest, or another where there is an alternate",
        ),
    )
    _comment(0, 1)
    op.execute("UPDATE exposure SET member_wcs = wcs_digest")


def _comment(before: int, after: int) -> None:
    """Change a comment, of which SQLite keeps none."""
    if op.get_bind().dialect.name == "postgresql":
        op.alter_column(
            "exposure", "member_digest", existing_type=sa.String(40), existing_nullable=False,
            existing_comment=_OF_DIGEST[before], comment=_OF_DIGEST[after],
        )  # fmt: skip


def downgrade() -> None:
    _comment(1, 0)
    op.drop_column("exposure", "member_wcs")
    op.drop_column("exposure", "alternate")
    op.drop_table("alternate")
