"""What the tables of the catalog share: one set of tables, the names of their constraints, and the forms of columns."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Column, ForeignKey, Integer, MetaData

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)
"""Every table of the catalog."""


def must(name: str, type_: Any, comment: str, **options: Any) -> Column[Any]:
    """A column that every row has a value in."""
    return Column(name, type_, nullable=False, comment=comment, **options)


def may(name: str, type_: Any, comment: str, **options: Any) -> Column[Any]:
    """A column that may be empty."""
    return Column(name, type_, nullable=True, comment=comment, **options)


def reference(name: str, target: str, comment: str, **options: Any) -> Column[Any]:
    """A reference to a row, with which the rows that refer to it are deleted."""
    return Column(name, ForeignKey(target, ondelete="CASCADE"), nullable=False, comment=comment, **options)


def canvas(comment: str, nullable: bool) -> list[Column[Any]]:
    """The four columns of a canvas, in fine pixels."""
    bounds = ("x_min", "x_max", "y_min", "y_max")
    return [Column(name, Integer, nullable=nullable, comment=f"{comment}: {name}, fine pixels") for name in bounds]
