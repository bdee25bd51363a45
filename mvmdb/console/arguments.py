"""Parses arguments: global options may stand anywhere, no option may be given twice, no argument may be empty."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import click

from mvmdb.console.options import Session
from mvmdb.console.recorded import ARGUMENTS
from mvmdb.console.streams import drop_output

_GLOBAL = ("--db", "-v", "--verbose", "--log")
_WITH_VALUE = ("--db", "--log")


class Commands(click.Group):
    """The group of all commands. Global options may stand before or after the command's name.

    Empty arguments, options given twice and options that contradict each other are refused; click would accept them
    and use only one of the values.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the arguments, with the global options first. Raises click.UsageError for an empty argument."""
        ctx.meta[ARGUMENTS] = list(args)
        if "" in args:
            raise click.UsageError("An argument is empty; expected a value (is a variable not set?).", ctx)
        return super().parse_args(ctx, _global_first(args))

    def make_parser(self, ctx: click.Context) -> Any:
        """The parser of the global options, which refuses one that is given twice."""
        return _strict(super().make_parser(ctx), ctx)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; exit with 0 if nobody reads its output any more, as with `| head`."""
        try:
            result = super().invoke(ctx)
        except BaseException as error:
            _end_run(ctx, error)
            if isinstance(error, BrokenPipeError):
                drop_output()
                raise click.exceptions.Exit(0) from None
            raise
        _end_run(ctx, None)
        return result

    def add_command(self, cmd: click.Command, name: str | None = None) -> None:
        """Add a command, and make its options refuse to be given twice, except those that may be repeated."""
        super().add_command(_with_strict_parser(cmd), name)


class Subcommands(click.Group):
    """A command that has commands of its own, which refuse options given twice as the others do."""

    def add_command(self, cmd: click.Command, name: str | None = None) -> None:
        """Add a command, and make its options refuse to be given twice, except those that may be repeated."""
        super().add_command(_with_strict_parser(cmd), name)


def _with_strict_parser(command: click.Command) -> click.Command:
    make_parser = command.make_parser

    def make_strict_parser(ctx: click.Context) -> Any:
        return _strict(make_parser(ctx), ctx)

    command.make_parser = make_strict_parser  # type: ignore[method-assign]
    return command


def _end_run(ctx: click.Context, error: BaseException | None) -> None:
    if isinstance(ctx.obj, Session):
        ctx.obj.run.close(error)


def _global_first(args: Sequence[str]) -> list[str]:
    """The arguments with the global options moved to the front, in their order; what follows `--` stays in place."""
    front: list[str] = []
    rest: list[str] = []
    words = iter(args)
    for word in words:
        if word == "--":
            return [*front, *rest, word, *words]
        if word.split("=", 1)[0] not in _GLOBAL:
            rest.append(word)
            continue
        front.append(word)
        if word in _WITH_VALUE:
            front += [value for value in [next(words, None)] if value is not None]
    return front + rest


def _strict(parser: Any, ctx: click.Context) -> Any:
    for option in {*parser._short_opt.values(), *parser._long_opt.values()}:
        option.process = _once(option, ctx)
    return parser


def _once(option: Any, ctx: click.Context) -> Callable[[Any, Any], None]:
    """The option's `process` method, made to refuse a second value; a flag may be repeated, but not contradicted."""
    process = option.process
    given: dict[str, tuple[str, Any]] = ctx.meta.setdefault("mvmdb.given", {})

    def process_once(value: Any, state: Any) -> None:
        name = max(option._long_opts or option._short_opts, key=len)
        now = (name, value if option.action == "store" else option.const)
        before = given.setdefault(option.dest, now)
        fresh = before is now
        if option.action == "store" and not fresh:
            raise click.UsageError(f"{name} is given twice; expected it once.", ctx)
        if option.action == "store_const" and before[1] != now[1]:
            raise click.UsageError(f"{before[0]} and {name} are both given; expected one of them.", ctx)
        process(value, state)

    return process_once
