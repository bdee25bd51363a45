"""The type of arguments that are paths of this machine; an address would be taken for a relative path."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from mvmdb.errors import UsageError
from mvmdb.remote.address import require_local


class LocalPath(click.Path):
    """As `click.Path`, giving a Path; an address like s3://bucket/products is refused."""

    def __init__(self, *, file_okay: bool = True, dir_okay: bool = True) -> None:
        super().__init__(path_type=Path, file_okay=file_okay, dir_okay=dir_okay)

    def convert(self, value: str | os.PathLike[str], param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The path. Raises click.BadParameter for an address."""
        try:
            require_local(value)
        except UsageError as error:
            self.fail(str(error), param, ctx)
        return super().convert(value, param, ctx)
