"""Prints text from files, tables and catalogs safely: control characters that a terminal would obey become escapes."""

from __future__ import annotations

from contextlib import suppress

import click

from mvmdb.passwords import without_secrets


def say(*lines: str) -> None:
    """Print lines on standard output, each as `printable`."""
    click.echo("\n".join(map(printable, lines)))


def warn(line: str) -> None:
    """Print a line on standard error, as `printable`, unless standard error is closed or its reader is gone.

    Passwords in URLs are hidden: whoever puts the catalog's address in the wrong place reads it in the error.
    """
    with suppress(OSError, ValueError):
        click.echo(printable(without_secrets(line)), err=True)


def printable(text: str) -> str:
    r"""A text of one line in which unprintable characters are escapes, such as `\x1b`.

    >>> printable("FIELD\x1b[2J")
    'FIELD\\x1b[2J'
    """
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else _spell(character) for character in text)


def _spell(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
