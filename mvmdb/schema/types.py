"""Column types whose meaning differs between databases: text that compares without regard to case."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Dialect
from sqlalchemy.types import Text, TypeDecorator, TypeEngine


class CaselessText(TypeDecorator[str]):
    """Text for which `F125W` equals `f125w`, so that users may write filters as headers or as file names do."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """SQLite compares with NOCASE; PostgreSQL with the collation `mvmdb_caseless`, made with the schema."""
        return Text(collation="NOCASE" if dialect.name == "sqlite" else "mvmdb_caseless")
