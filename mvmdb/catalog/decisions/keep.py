"""Keeps the decisions file beside the products up to date; the catalog's transactions are over by then."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from mvmdb.atomic import replace_file
from mvmdb.catalog.decisions.load import give_identity, load_decisions
from mvmdb.catalog.decisions.values import FILENAME, Decisions, format_decisions, parse_decisions
from mvmdb.catalog.settings import recorded_products_folder
from mvmdb.errors import InputError
from mvmdb.inputs import read_text
from mvmdb.schema import tables as t

LARGEST = 2**30
"""The most bytes of a decisions file: 200 each for millions of exposures."""


def read_decisions(products: Path) -> Decisions | None:
    """What the decisions file of a products folder holds; None if there is none.

    Raises InputError if it cannot be read, or is damaged.
    """
    path = products / FILENAME
    try:
        text = read_text(path, LARGEST)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        raise InputError(
            f"{path} cannot be read ({reason}); expected the decisions of a catalog: make it readable"
        ) from (error)
    return parse_decisions(text, str(path))


def keep_decisions(engine: sa.Engine) -> str:
    """Write the decisions file if it is missing or behind; return what keeps it from that, or an empty text.

    Nothing is written before a products folder is recorded, and into a missing one only while it holds no product. The
    file of another catalog is left alone: it may be the only trace of one that was lost.
    """
    written = None
    while True:
        with engine.begin() as connection:
            folder, decisions = recorded_products_folder(connection), load_decisions(connection)
            n_products = connection.scalar(sa.select(t.product.c.id).limit(1))
        if folder is None or decisions == written:
            return ""
        away = not folder.is_dir()
        if away and n_products is not None:
            return _trouble(folder / FILENAME, "the folder is not there", "mount it")
        if away and not decisions.exposures and not decisions.accepted:
            return ""
        trouble, is_current = _compare(folder, decisions)
        if trouble or is_current:
            return trouble
        if not decisions.catalog:
            with engine.begin() as connection:
                give_identity(connection)
            continue
        try:
            text = format_decisions(decisions)
            replace_file(folder / FILENAME, lambda file, text=text: file.write(text.encode()))  # type: ignore[misc]
        except OSError as error:
            return _trouble(folder / FILENAME, error.strerror or str(error), "make the folder writable")
        written = decisions  # a command that ended meanwhile may have decided more, and have written before this one


def _compare(folder: Path, decisions: Decisions) -> tuple[str, bool]:
    """(why the file in the folder must not be replaced, or an empty text; whether it is as it should be)."""
    try:
        there = read_decisions(folder)
    except InputError as error:
        return ("" if decisions.catalog else f"{error}; until then nothing is kept there"), False
    if there is None or there.catalog == decisions.catalog:
        return "", there == decisions
    return (
        f"{folder / FILENAME} was written by another catalog, and is left as it is; expected no file, or this "
        "catalog's: if that catalog is lost, run mvmdb rebuild into an empty database, else move the file away",
        False,
    )


def _trouble(path: Path, why: str, remedy: str) -> str:
    return (
        f"the decisions of this catalog could not be kept in {path} ({why}): {remedy}, and the next command that "
        "changes the catalog writes them"
    )
