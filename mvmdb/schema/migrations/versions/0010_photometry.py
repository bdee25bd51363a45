"""What the photometry of exposures is, and which one products were made with; views are made anew by each upgrade.

All of it is empty for what is recorded already: that of an exposure until its file is read again, that of a product
until it is made again. What is empty compares as equal, so nothing becomes stale.

Revision 0010, after 0009.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_EXPOSURE = (
    (
        "photflam",
        sa.Float(),
        "PHOTFLAM of the chip that stands for it; empty where a chip has none, erg/cm2/Angstrom/electron",
    ),
    ("photmode", sa.Text(), "PHOTMODE of that chip"),
    (
        "photometry",
        sa.Text(),
        "PHOTFLAM, PHOTMODE, PHOTPLAM and PHOTZPT of each chip, JSON; empty until its file is read",
    ),
)
_PRODUCT_MEMBER = (
    (
        "photflam",
        sa.Float(),
        "its photflam when it was drizzled or rescaled; empty if it had none, erg/cm2/Angstrom/electron",
    ),
    (
        "photscale",
        sa.Float(),
        "factor of the electrons of the chip of photflam, a pure number; empty if not recorded",
    ),
    ("photometry", sa.Text(), "its photometry then, JSON; empty if not recorded"),
)
_COMMENTS = (
    (
        "exposure",
        "pixels",
        sa.String(40),
        "identity of the SCI and DQ arrays",
        "identity of the SCI and DQ arrays and their photometry",
    ),
    (
        "product",
        "last_action",
        sa.String(10),
        "drizzle, add, recanvas or adopt; empty when the file was found",
        "drizzle, add, recanvas, rescale or adopt; empty when the file was found",
    ),
    (
        "sky_pair",
        "measure",
        sa.String(60),
        "how it was measured: good DQ bits, clips, sigma, lowest",
        "how it was measured: good DQ bits, clips, sigma, lowest, and the method if it is not hap",
    ),
)
"""Columns whose values may mean something more now: table, name, type, and comment before and after."""


def upgrade() -> None:
    _comment(0, 1)
    for table, columns in (("exposure", _EXPOSURE), ("product_member", _PRODUCT_MEMBER)):
        for name, kind, comment in columns:
            op.add_column(table, sa.Column(name, kind, nullable=True, comment=comment))


def _comment(before: int, after: int) -> None:
    """Change comments, of which SQLite keeps none."""
    if op.get_bind().dialect.name != "postgresql":
        return
    for table, column, type_, *texts in _COMMENTS:
        op.alter_column(table, column, existing_type=type_, existing_comment=texts[before], comment=texts[after])


def downgrade() -> None:
    _comment(1, 0)
    for table, columns in (("exposure", _EXPOSURE), ("product_member", _PRODUCT_MEMBER)):
        for name, _, _ in reversed(columns):
            op.drop_column(table, name)
