"""Opens files that a user names, if they are plain files: others could block for ever, or have no end."""

from __future__ import annotations

import errno
import os
import stat
from typing import BinaryIO

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
