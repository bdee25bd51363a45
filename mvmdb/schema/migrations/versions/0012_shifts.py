"""Shifts: how far overlapping exposures lie apart, and where each lies by all of them.

The tables begin empty: runs measure the pairs of the layers that they make.

Revision 0012, after 0011.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "shift_pair",
        sa.Column("first_id", sa.Integer(), nullable=False, comment="exposure with the lower identity"),
        sa.Column("second_id", sa.Integer(), nullable=False, comment="exposure that overlaps it"),
        sa.Column("first_pixels", sa.String(40), nullable=False, comment="pixels of the first when it was measured; it holds for no other"),
        sa.Column("first_wcs", sa.String(40), nullable=False, comment="wcs_digest of the file of the first; it holds for no other"),
        sa.Column("second_pixels", sa.String(40), nullable=False, comment="pixels of the second when it was measured; it holds for no other"),
        sa.Column("second_wcs", sa.String(40), nullable=False, comment="wcs_digest of the file of the second; it holds for no other"),
        sa.Column("ra", sa.Float(), nullable=False, comment="middle of the overlap, degrees"),
        sa.Column("dec", sa.Float(), nullable=False, comment="middle of the overlap, degrees"),
        sa.Column("overlap_arcmin2", sa.Float(), nullable=False, comment="area of the overlap, square arcmin"),
        sa.Column("pixel", sa.Float(), nullable=False, comment="size of the larger of their pixels, arcsec"),
        sa.Column("n_sources", sa.Integer(), nullable=False, comment="common sources that were found; below n_needed, nothing was measured"),
        sa.Column("n_needed", sa.Integer(), nullable=False, comment="common sources that are more than chance gives"),
        sa.Column("dx", sa.Float(), nullable=True, comment="how far the second lies to the east of the first by their files, arcsec; empty: not measured"),
        sa.Column("dy", sa.Float(), nullable=True, comment="how far the second lies to the north of the first by their files, arcsec; empty: not measured"),
        sa.Column("error", sa.Float(), nullable=True, comment="error of dx and of dy, 1 sigma, arcsec; empty: not measured"),
        sa.Column("left_dx", sa.Float(), nullable=True, comment="what is left of dx as layers use both exposures, arcsec; empty: not measured"),
        sa.Column("left_dy", sa.Float(), nullable=True, comment="what is left of dy as layers use both exposures, arcsec; empty: not measured"),
        sa.Column("left_pixels", sa.Float(), nullable=True, comment="length of both in pixels; empty: not measured"),
        sa.ForeignKeyConstraint(["first_id"], ["exposure.id"], name=op.f("fk_shift_pair_first_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["second_id"], ["exposure.id"], name=op.f("fk_shift_pair_second_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("first_id", "second_id", name=op.f("pk_shift_pair")),
        comment="measured shifts of overlapping exposures of one camera and filter",
        sqlite_with_rowid=False,
    )  # fmt: skip
    op.create_table(
        "placement",
        sa.Column("ipppssoo", sa.String(8), nullable=False, comment="exposure"),
        sa.Column("pixels", sa.String(40), nullable=False, comment="pixels of its file when it was looked at; it holds for no other"),
        sa.Column("wcs_digest", sa.String(40), nullable=False, comment="wcs_digest of its file; it holds for no other"),
        sa.Column("base_wcs", sa.String(40), nullable=False, comment="wcs_digest, or another if layers were told to use an alternate; it holds for no other"),
        sa.Column("ra", sa.Float(), nullable=False, comment="centre of the exposure, where dx and dy are measured, degrees"),
        sa.Column("dec", sa.Float(), nullable=False, comment="centre of the exposure, where dx and dy are measured, degrees"),
        sa.Column("dx", sa.Float(), nullable=False, comment="how far it lies to the east of where its group has it, arcsec"),
        sa.Column("dy", sa.Float(), nullable=False, comment="how far it lies to the north of where its group has it, arcsec"),
        sa.Column("error", sa.Float(), nullable=False, comment="error of dx and of dy by its own pairs, 1 sigma, arcsec"),
        sa.Column("pixel", sa.Float(), nullable=False, comment="size of its largest pixels, arcsec; 0 where no pair was measured"),
        sa.Column("n_pairs", sa.Integer(), nullable=False, comment="exposures with which its shift is measured; 0: nothing is known of its place"),
        sa.Column("n_sources", sa.Integer(), nullable=False, comment="common sources of all these pairs"),
        sa.Column("shift_group", sa.String(8), nullable=False, comment="lowest identity of the exposures that measured shifts connect it with"),
        sa.Column("n_group", sa.Integer(), nullable=False, comment="number of exposures in that group"),
        sa.Column("tied_to", sa.Text(), nullable=False, comment="frame that the group is tied to: gaia, gsc242, ...; majority: what most of its exposures say"),
        sa.Column("move_dx", sa.Float(), nullable=False, comment="what frames = align adds to its positions to the east, arcsec; dx when it last changed"),
        sa.Column("move_dy", sa.Float(), nullable=False, comment="what frames = align adds to its positions to the north, arcsec"),
        sa.Column("made_at", sa.DateTime(), nullable=False, comment="when it was computed (UTC)"),
        sa.PrimaryKeyConstraint("ipppssoo", name=op.f("pk_placement")),
        comment="where each exposure lies among those that it overlaps, solved from the shifts of all pairs",
    )  # fmt: skip
    op.create_index("ix_shift_pair_second_id", "shift_pair", ["second_id"])
    where = sa.text("left_pixels >= 0.4")
    op.create_index(
        "ix_shift_pair_left_pixels", "shift_pair", ["left_pixels"], sqlite_where=where, postgresql_where=where
    )
    op.create_index("ix_placement_shift_group", "placement", ["shift_group"])


def downgrade() -> None:
    op.drop_table("placement")
    op.drop_table("shift_pair")
