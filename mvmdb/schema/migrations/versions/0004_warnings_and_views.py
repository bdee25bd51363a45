"""An index of warnings, so that `status` counts them; views with the product's path and with dates in ISO 8601.

Revision 0004, after 0003. Each upgrade makes all views anew.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_DOUBTFUL = "warnings <> '' AND {} AND withdrawn_at IS NULL"


def upgrade() -> None:
    op.execute("UPDATE exposure SET warnings = substr(warnings, 1, 500) WHERE length(warnings) > 500")
    op.create_index(
        "ix_exposure_warnings",
        "exposure",
        ["warnings"],
        sqlite_where=sa.text(_DOUBTFUL.format("eligible = 1")),
        postgresql_where=sa.text(_DOUBTFUL.format("eligible")),
    )


def downgrade() -> None:
    op.drop_index("ix_exposure_warnings", "exposure")
