"""Questions that people ask of every archive, as SQL that SQLite and PostgreSQL both answer.

Datasette lists them, docs/catalog.md shows the first twelve, and tests run each on both databases.
"""

from __future__ import annotations

from mvmdb.catalog.ask.canned.more import MORE
from mvmdb.catalog.ask.canned.twelve import TWELVE
from mvmdb.catalog.ask.canned.values import CannedQuery

__all__ = ["CANNED", "TWELVE", "CannedQuery"]

CANNED = (*TWELVE, *MORE)
"""All of them, each with a name of its own."""
