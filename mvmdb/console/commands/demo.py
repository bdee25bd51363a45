"""The command demo."""

from __future__ import annotations

import sys

import click


@click.command(short_help="Simulate a small archive and run two nights on it.")
@click.argument("folder", metavar="[DIR]", default="mvmdb-demo", type=click.Path(file_okay=False))
def demo(folder: str) -> None:
    """Simulate a small archive in DIR (default: mvmdb-demo) and run two nights on it.

    Example: mvmdb demo /tmp/mvmdb-demo
    """
    from pathlib import Path

    from mvmdb.demo.run import run_demo

    sys.exit(run_demo(Path(folder), click.echo))
