"""What rebuilding, pruning and adopting need: which exposures were pruned, and which products are proven.

There are indexes of the exposures that are withdrawn or ineligible, and of unproven products.

Revision 0007, after 0006.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_INDEXES = (
    ("exposure", "withdrawn_at", "withdrawn_at IS NOT NULL"),
    ("exposure", "ineligible_rule", "ineligible_rule <> ''"),
    ("product", "proof", "proof <> 'proven'"),
)
"""Table, column, and which rows the index holds."""
_COMMENTS = {
    "data_digest": (
        sa.String(40),
        "digest of SCI and WHT",
        "digest of SCI and WHT; of the whole file if another program made it",
    ),
    "last_action": (
        sa.String(10),
        "drizzle, add or recanvas; empty when the file was found",
        "drizzle, add, recanvas or adopt; empty when the file was found",
    ),
}
"""Columns of `product` whose values may mean something more now: type, and comment before and after."""


def upgrade() -> None:
    _comment(0, 1)
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
    op.add_column(
        "product",
        sa.Column(
            "proof",
            sa.String(8),
            server_default=sa.text("'proven'"),
            nullable=False,
            comment="whether it says which pixels it holds: proven; unproven (another program made it), or trusted: taken as fresh",
        ),
    )
    for table, column, words in _INDEXES:
        where = sa.text(words)
        op.create_index(op.f(f"ix_{table}_{column}"), table, [column], sqlite_where=where, postgresql_where=where)


def _comment(before: int, after: int) -> None:
    """Change comments, of which SQLite keeps none."""
    if op.get_bind().dialect.name != "postgresql":
        return
    for column, (type_, *texts) in _COMMENTS.items():
        op.alter_column("product", column, existing_type=type_, existing_comment=texts[before], comment=texts[after])


def downgrade() -> None:
    _comment(1, 0)
    for table, column, _ in _INDEXES:
        op.drop_index(op.f(f"ix_{table}_{column}"), table)
    op.drop_column("product", "proof")
    op.drop_column("exposure", "pruned")
