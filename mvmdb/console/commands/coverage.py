"""The command coverage."""

from __future__ import annotations

import click

from mvmdb.console.arguments import be_strict
from mvmdb.console.commands.coverage_export import export


@click.group(invoke_without_command=True, short_help="Write coverage for other programs.")
@click.pass_context
def coverage(context: click.Context) -> None:
    """What the archive covers of the sky.

    Example: mvmdb coverage export moc -o archive.fits
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


coverage.add_command(be_strict(export))
