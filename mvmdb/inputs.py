"""Opens files that a user names, if they are plain files: others could block for ever, or have no end."""

from __future__ import annotations

import errno
import os
import stat
from typing import BinaryIO

from mvmdb.errors import InputError

LARGEST_LIST = 256_000_000
"""The most bytes of a list or a poller file: enough for a million exposures."""

_KINDS = {
    stat.S_IFDIR: "a folder", stat.S_IFIFO: "a named pipe", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}  # fmt: skip


def open_plain(path: str | os.PathLike[str], buffering: int = -1) -> BinaryIO:
    """Open a plain file for reading. Raises OSError; if it is a named pipe, device or the like, `strerror` says so."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # opening a named pipe would wait
    kind = stat.S_IFMT(os.fstat(descriptor).st_mode)
    if kind != stat.S_IFREG:
        os.close(descriptor)
        raise OSError(errno.EINVAL, f"it is {_KINDS.get(kind, 'something else')}, not a plain file", os.fspath(path))
    return os.fdopen(descriptor, "rb", buffering)


def read_text(path: str | os.PathLike[str], most: int = LARGEST_LIST) -> str:
    """The text of a plain UTF-8 file. Raises OSError, also for more than `most` bytes, or UnicodeDecodeError."""
    with open_plain(path) as stream:
        content = stream.read(most + 1)
    if len(content) > most:
        raise OSError(errno.EFBIG, f"it has more than {most} bytes", os.fspath(path))
    return content.decode("utf-8")


def read_named(path: str | os.PathLike[str], what: str, expected: str, most: int = LARGEST_LIST) -> str:
    """As `read_text`, of a file that a user names as `what` (`the list`). Raises InputError: expected is `expected`."""
    try:
        return read_text(path, most)
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        raise InputError(f"{what} {os.fspath(path)} cannot be read ({reason}); expected {expected}") from error


def read_entries(path: str | os.PathLike[str], what: str, expected: str) -> list[tuple[int, str]]:
    """The lines of a list, each with its number from 1; blank ones and those that begin with # are left out."""
    lines = enumerate(map(str.strip, read_named(path, what, expected).splitlines()), 1)
    return [(number, line) for number, line in lines if line and not line.startswith("#")]
