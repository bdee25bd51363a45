"""The command page: the sky map as static files."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from mvmdb.console import options
from mvmdb.console.localpath import LocalPath
from mvmdb.console.options import Session
from mvmdb.console.progress import Form, Progress
from mvmdb.console.show import say


@click.command(short_help="Write the sky map for browsers.")
@click.option(
    "-o", "--output", required=True, type=LocalPath(file_okay=False), metavar="DIR", help="The folder of the page."
)
@click.option("--title", metavar="TEXT", help="The heading of the page.")
@click.option(
    "--products-url", metavar="URL",
    help="Where a web server shows the products folder, from the page or absolute; else links are to files.",
)  # fmt: skip
@click.option(
    "--sql-url", metavar="URL", help="The page of an SQL browser that takes ?sql=; else the SQL is shown to be copied."
)
@click.option("--pictures", is_flag=True, help="Make small pictures of mosaics; else JPEGs beside them are shown.")
@options.progress
@options.as_json
@click.pass_obj
def page(
    session: Session,
    /,
    output: Path,
    title: str | None,
    products_url: str | None,
    sql_url: str | None,
    pictures: bool,
    progress: Form,
    as_json: bool,
) -> None:
    """Write the sky map of the archive to DIR, or bring it up to date there: open DIR/index.html in a browser.

    It needs no server, and loads nothing from elsewhere. Only files that differ are written, and browsers may load the
    page meanwhile; run it after each night. Other files in DIR are left alone. The exit code is 1 if a picture could
    not be made.

    Example: mvmdb page -o /var/www/mvm --products-url https://archive.example/products
    """
    with Progress(progress) as monitor:
        done = session.archive(monitor=monitor).page(
            output, title=title, products_url=products_url, sql_url=sql_url, pictures=pictures
        )
    if as_json:
        options.emit_json(asdict(done))
    else:
        say(done.tell().line, *(f"problem: {problem}" for problem in done.problems))
    options.finish(done.attention)
