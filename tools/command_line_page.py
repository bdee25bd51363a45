"""The reference of the command line, from the commands themselves: usage, what they do, arguments and options."""

from __future__ import annotations

import re
from collections.abc import Iterator

import click

from mvmdb.cli import commands


def make_page() -> str:
    """The page, as Markdown."""
    return "\n".join(_describe_all()) + "\n"


def _describe_all() -> Iterator[str]:
    yield "# The command line\n"
    yield "Made from the commands themselves. [commands.md](commands.md) explains them, with examples.\n"
    yield "```text"
    yield _usage(commands, "mvmdb")
    yield "```\n"
    yield from _options(commands, "mvmdb")
    for name in sorted(commands.commands):
        yield from _describe(commands.commands[name], f"mvmdb {name}", level=2)


def _describe(command: click.Command, path: str, level: int) -> Iterator[str]:
    yield f"{'#' * level} {path}\n"
    yield "```text"
    yield _usage(command, path)
    yield "```\n"
    yield _text(command.help or command.short_help or "") + "\n"
    yield from _options(command, path)
    if isinstance(command, click.Group):
        for name in sorted(command.commands):
            yield from _describe(command.commands[name], f"{path} {name}", level + 1)


def _usage(command: click.Command, path: str) -> str:
    pieces = command.collect_usage_pieces(click.Context(command, info_name=path))
    return " ".join([path, *pieces])


def _options(command: click.Command, path: str) -> Iterator[str]:
    context = click.Context(command, info_name=path)
    records = [record for option in command.get_params(context) if (record := option.get_help_record(context))]
    if records:
        yield "| option | meaning |\n|---|---|"
        for names, meaning in records:
            yield f"| `{names}` | {_cell(meaning)} |"
        yield ""


def _cell(text: str) -> str:
    return _text(" ".join(text.split())).replace("|", "\\|")


def _text(text: str) -> str:
    """Text for people as Markdown: paragraphs, and nothing in them that Markdown reads as its own."""
    paragraphs = [" ".join(part.split()) for part in re.split(r"\n\s*\n", text.replace("\b", ""))]
    return "\n\n".join(re.sub(r"([*_<>\[\]])", r"\\\1", part) for part in paragraphs)
