"""Opening files that a user names: plain files alone, so that nothing waits for a writer or reads without an end."""

from __future__ import annotations

import errno
import os
import stat
from typing import BinaryIO

LARGEST_LIST = 256_000_000
"""Bytes of a list or a poller file: a million exposures, with room to spare."""

_KINDS = {
    stat.S_IFDIR: "a folder", stat.S_IFIFO: "a named pipe", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}  # fmt: skip


def open_plain(path: str | os.PathLike[str]) -> BinaryIO:
    """Open a plain file for reading. Raises OSError, whose `strerror` says what else it is: a named pipe, a device."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # opening a named pipe would wait
    kind = stat.S_IFMT(os.fstat(descriptor).st_mode)
    if kind != stat.S_IFREG:
        os.close(descriptor)
        raise OSError(errno.EINVAL, f"it is {_KINDS.get(kind, 'something else')}, not a plain file", os.fspath(path))
    return os.fdopen(descriptor, "rb")


def read_text(path: str | os.PathLike[str], most: int = LARGEST_LIST) -> str:
    """The text of a plain file of at most `most` bytes, UTF-8. Raises OSError, or UnicodeDecodeError."""
    with open_plain(path) as stream:
        content = stream.read(most + 1)
    if len(content) > most:
        raise OSError(errno.EFBIG, f"it has more than {most} bytes", os.fspath(path))
    return content.decode("utf-8")
