"""The command demo."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from mvmdb.console.localpath import LocalPath


@click.command(short_help="Simulate a small archive and run two nights on it.")
@click.argument("folder", metavar="[DIR]", default="mvmdb-demo", type=LocalPath(file_okay=False))
def demo(folder: Path) -> None:
    """Simulate a small archive in DIR (default: mvmdb-demo) and run two nights on it.

    Example: mvmdb demo /tmp/mvmdb-demo
    """
    from mvmdb.demo.run import run_demo

    sys.exit(run_demo(folder, click.echo))
