"""Layers that wait for files, and the rank of solutions that users made.

A layer counts its members without a file. A WCSNAME of no pipeline goes before all others.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_COUNT = """
UPDATE layer SET n_waiting = (
    SELECT count(*) FROM layer_member m JOIN exposure e ON e.id = m.exposure_id
    WHERE m.layer_id = layer.id AND e.path = ''
)
WHERE EXISTS (
    SELECT 1 FROM layer_member m JOIN exposure e ON e.id = m.exposure_id WHERE m.layer_id = layer.id AND e.path = ''
)
"""


def upgrade() -> None:
    comment = "number of members without a file, known from a table alone"
    op.add_column(
        "layer", sa.Column("n_waiting", sa.Integer, nullable=False, server_default=sa.text("0"), comment=comment)
    )
    op.execute(_COUNT)
    op.execute("UPDATE dataset SET wcs_rank = 700 WHERE wcs_rank = 200")


def downgrade() -> None:
    op.execute("UPDATE dataset SET wcs_rank = 200 WHERE wcs_rank = 700")
    op.drop_column("layer", "n_waiting")
