"""Runs that make layers at the same time: each has a lease, and claims the layers that it makes.

Revision 0006, after 0005.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "coordinator",
        sa.Column("owner", sa.String(36), nullable=False, comment="random identity (UUID)"),
        sa.Column(
            "run_id",
            sa.Integer(),
            nullable=True,
            comment="its run; empty where a program of the user's called mvmdb",
        ),
        sa.Column("host", sa.Text(), nullable=False, comment="machine that it runs on"),
        sa.Column("pid", sa.Integer(), nullable=False, comment="number of its process there"),
        sa.Column(
            "process",
            sa.Text(),
            nullable=False,
            comment="what tells its process from a later one with this number there; empty if unknown",
        ),
        sa.Column("started_at", sa.DateTime(), nullable=False, comment="UTC"),
        sa.Column("renewed_at", sa.DateTime(), nullable=False, comment="last sign of life (UTC)"),
        sa.Column(
            "expires_at",
            sa.DateTime(),
            nullable=False,
            comment="from when on others take over what it has claimed (UTC)",
        ),
        sa.Column(
            "skycells",
            sa.Text(),
            nullable=False,
            comment="keys of the sky cells that it is going to work in, JSON",
        ),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name=op.f("fk_coordinator_run_id"), ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("owner", name=op.f("pk_coordinator")),
        comment="runs that are making layers now, each with its lease",
    )
    op.create_index(op.f("ix_coordinator_run_id"), "coordinator", ["run_id"])
    op.create_table(
        "claim",
        sa.Column("layer", sa.String(120), nullable=False, comment="name of the layer that is being made or removed"),
        sa.Column("owner", sa.String(36), nullable=False, comment="who does it"),
        sa.Column("claimed_at", sa.DateTime(), nullable=False, comment="UTC"),
        sa.ForeignKeyConstraint(["owner"], ["coordinator.owner"], name=op.f("fk_claim_owner"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("layer", name=op.f("pk_claim")),
        comment="layers that are being made or removed now, each by one run alone",
    )
    op.create_index(op.f("ix_claim_owner"), "claim", ["owner"])


def downgrade() -> None:
    op.drop_table("claim")
    op.drop_table("coordinator")
