"""Skies of pairs by differences of pixels, with their error; views are made anew by each upgrade.

Rows that are there were measured in the other way, and stay valid for it.

Revision 0011, after 0010.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_COLUMNS = {
    "difference": "brightness of the first minus the second, by differences of pixels, electrons/s/arcsec^2",
    "error": "standard deviation of difference, electrons/s/arcsec^2",
    "gradient": "change of difference between halves of the overlap; null if unknown, electrons/s/arcsec^2",
    "area": "area of the pixels compared, square arcsec",
}
_MEASURE = "how it was measured: good DQ bits, clips, sigma, lowest"


def upgrade() -> None:
    for name, comment in _COLUMNS.items():
        op.add_column("sky_pair", sa.Column(name, sa.Float(), nullable=True, comment=comment))
    _comment(f"{_MEASURE}; begins with differences where by differences")


def downgrade() -> None:
    op.execute("DELETE FROM sky_pair WHERE difference IS NOT NULL")
    for name in reversed(_COLUMNS):
        op.drop_column("sky_pair", name)
    _comment(_MEASURE)


def _comment(text: str) -> None:
    """Databases that keep comments get the new one."""
    if op.get_bind().dialect.name == "postgresql":
        op.alter_column("sky_pair", "measure", comment=text, existing_type=sa.String(60), existing_nullable=False)
