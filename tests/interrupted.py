"""A run of mvmdb that is interrupted while a text is executed, as when a dataclass is made; run it with `python -m`."""

from __future__ import annotations

import click

from mvmdb import cli


def interrupt(**_options: object) -> None:
    try:
        exec("raise KeyboardInterrupt")
    except KeyboardInterrupt as error:
        raise click.Abort from error


if __name__ == "__main__":
    cli.commands = interrupt  # type: ignore[assignment]
    cli.main()
