"""The command serve."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path

import click

from mvmdb.console.localpath import LocalPath
from mvmdb.console.options import Session
from mvmdb.console.show import say


@click.command(short_help="Show the catalog in a browser.")
@click.option(
    "--host", default="127.0.0.1", show_default=True, metavar="ADDRESS",
    help="Listen on this address; on another one than this machine's own (loopback) whoever reaches it may read.",
)  # fmt: skip
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8001, show_default=True, metavar="N", help="0: any that is free."
)
@click.option(
    "--timeout", type=click.FloatRange(0, 60, min_open=True, max_open=True), default=5.0, show_default=True,
    metavar="SECONDS", help="Stop a question that takes longer.",
)  # fmt: skip
@click.option(
    "--map", "page", type=LocalPath(file_okay=False), metavar="DIR", help="Show the map of the sky in this folder too."
)
@click.option("--open", "open_browser", is_flag=True, help="Open it in the browser.")
@click.pass_obj
def serve(session: Session, host: str, port: int, timeout: float, page: Path | None, open_browser: bool) -> None:
    """Show an SQLite catalog in Datasette, read-only, with canned queries and the meaning of every column.

    The address is printed when it answers. Ctrl-C or SIGTERM ends it, with exit code 130 or 143. It needs the extra
    `serve`, and no network.

    Example: mvmdb serve --port 8001 --open
    """

    def announce(address: str) -> None:
        say(f"serving {session.address} at {address} (Ctrl-C ends it)")
        with suppress(OSError):
            sys.stdout.flush()
        if open_browser:
            click.launch(address)

    try:
        session.archive().serve(host=host, port=port, timeout=timeout, page=page, ready=announce)
    except KeyboardInterrupt:
        sys.exit(session.ending.code)
