"""What rebuilding and pruning need: which exposures were pruned, and indexes of those that are out.

Revision 0007, after 0006.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "exposure",
        sa.Column(
            "pruned",
            sa.Boolean(),
            server_default=sa.false(),
            nullable=False,
            comment="whether it left because its file is gone; it returns with the file",
        ),
    )
    for column, condition in (
        ("withdrawn_at", sa.text("withdrawn_at IS NOT NULL")),
        ("ineligible_rule", sa.text("ineligible_rule <> ''")),
    ):
        op.create_index(
            op.f(f"ix_exposure_{column}"), "exposure", [column], sqlite_where=condition, postgresql_where=condition
        )


def downgrade() -> None:
    for column in ("withdrawn_at", "ineligible_rule"):
        op.drop_index(op.f(f"ix_exposure_{column}"), "exposure")
    op.drop_column("exposure", "pruned")
