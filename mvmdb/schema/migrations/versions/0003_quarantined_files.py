"""Quarantined files: their size and time, by which a change is seen, and whether the user has accepted them.

Revision 0003, after 0002.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("quarantine", schema=None) as batch_op:
        batch_op.add_column(sa.Column("size", sa.BigInteger(), nullable=True, comment="bytes; empty if unknown"))
        batch_op.add_column(
            sa.Column("mtime_ns", sa.BigInteger(), nullable=True, comment="modification time, ns since 1970")
        )
        batch_op.add_column(
            sa.Column(
                "accepted",
                sa.Boolean(),
                server_default=sa.false(),
                nullable=False,
                comment="whether the user has accepted it as it is, until it changes",
            )
        )


def downgrade() -> None:
    with op.batch_alter_table("quarantine", schema=None) as batch_op:
        for name in ("accepted", "mtime_ns", "size"):
            batch_op.drop_column(name)
