"""Column types that differ between databases: text that compares without regard to case."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Dialect
from sqlalchemy.dialects.postgresql import CITEXT
from sqlalchemy.types import Text, TypeDecorator, TypeEngine


class CaselessText(TypeDecorator[str]):
    """Text for which `F125W` equals `f125w`, so that users may write filters as headers or as file names do."""

    impl = Text
    cache_ok = True

    @property
    def python_type(self) -> type[str]:
        """The type of values in Python: str."""
        return str

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """SQLite compares with NOCASE, PostgreSQL with the type citext of its contrib modules.

        A nondeterministic ICU collation would also serve `=`, but refuses LIKE before PostgreSQL 18, and not every
        build of the server has ICU.
        """
        return Text(collation="NOCASE") if dialect.name == "sqlite" else CITEXT()
