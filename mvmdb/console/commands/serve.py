"""The command serve."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path

import click

from mvmdb.console.localpath import LocalPath
from mvmdb.console.options import Session
from mvmdb.console.show import say
from mvmdb.errors import UsageError


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
    "--map", "map_folder", type=LocalPath(file_okay=False), metavar="DIR",
    help="Keep the map of the sky in this folder. [default: a temporary one]",
)  # fmt: skip
@click.option("--no-map", is_flag=True, help="Leave the map of the sky out, and the mosaics that it links to.")
@click.option("--open", "open_browser", is_flag=True, help="Open it in the browser.")
@click.pass_obj
def serve(
    session: Session,
    host: str,
    port: int,
    timeout: float,
    map_folder: Path | None,
    no_map: bool,
    open_browser: bool,
) -> None:
    """Show an SQLite catalog in Datasette, read-only, with the map of the sky, and the meaning of every column.

    The map is drawn at the start and whenever the catalog has changed; it links to the mosaics, and to the SQL behind
    what it shows. The address is printed when it answers. Ctrl-C or SIGTERM ends it, with exit code 130 or 143. It
    needs the extra `serve`, and no network.

    Example: mvmdb serve --port 8001 --open
    """

    def announce(address: str) -> None:
        say(f"serving {session.address} at {address} (Ctrl-C ends it)")
        with suppress(OSError):
            sys.stdout.flush()
        if open_browser:
            click.launch(address)

    if no_map and map_folder is not None:
        raise UsageError("--map and --no-map are both given; expected one of them")
    try:
        session.archive().serve(
            host=host, port=port, timeout=timeout, with_map=not no_map, map_folder=map_folder, ready=announce
        )
    except KeyboardInterrupt:
        sys.exit(session.ending.code)
