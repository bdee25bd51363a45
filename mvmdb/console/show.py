"""Text from files, tables and catalogs as a terminal may see it: what would move its cursor or colours is spelled."""

from __future__ import annotations


def printable(text: str) -> str:
    r"""A text of one line with control characters and the like as escapes, such as `\x1b`.

    >>> printable("FIELD\x1b[2J")
    'FIELD\\x1b[2J'
    """
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else _spell(character) for character in text)


def _spell(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
