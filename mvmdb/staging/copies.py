"""One file put beside another program's poller: as a copy of its own, or as a link to the input if asked for.

A copy has the time of its input, by which it is known later. Where the file system can, they share blocks (reflink):
what is then written into the copy changes the copy alone.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Literal, get_args

from mvmdb.atomic import make_folder, replace_file
from mvmdb.errors import InputError
from mvmdb.inputs import open_plain

Link = Literal["copy", "hard", "symbolic"]
LINKS: tuple[Link, ...] = get_args(Link)
FICLONE = 0x40049409
"""The ioctl that shares the blocks of a file, `_IOW(0x94, 9, int)` of linux/fs.h."""
_CHUNK = 1 << 26
_CANNOT = (errno.EXDEV, errno.EOPNOTSUPP, errno.ENOTTY, errno.EINVAL, errno.ENOSYS, errno.EPERM)
"""What the system says where two files cannot share blocks, or where it cannot copy by itself."""


def is_current(source: Path, target: Path, link: Link) -> bool:
    """Whether `target` is what `put` would make of `source`. Raises OSError if there is no `source`."""
    expected = os.stat(source)
    try:
        found = os.lstat(target)
    except OSError:
        return False
    if link == "symbolic":
        return target.is_symlink() and os.readlink(target) == str(source.absolute())
    same_inode = (found.st_dev, found.st_ino) == (expected.st_dev, expected.st_ino)
    if link == "hard":
        return same_inode
    is_copy = not target.is_symlink() and not same_inode
    return is_copy and (found.st_size, found.st_mtime_ns) == (expected.st_size, expected.st_mtime_ns)


def put(source: Path, target: Path, link: Link) -> None:
    """Make `target` a copy of `source`, or a link to it; whole or not at all. Raises InputError, naming both files."""
    try:
        if link == "copy":
            replace_file(target, lambda file: _copy(source, file))
        else:
            _link(source, target, link)
    except OSError as error:
        remedy = "expected the same file system: leave out --link hard" if error.errno == errno.EXDEV else (
            "expected a file that can be read, and a folder with free space"
        )  # fmt: skip
        raise InputError(f"cannot put {source} at {target}: {error.strerror or error}; {remedy}") from error


def can_clone(source: Path, folder: Path) -> bool:
    """Whether copies of this file in `folder`, which must exist, need no space of their own."""
    probe = folder / f".mvmdb-clone.{socket.gethostname()}.{os.getpid()}.tmp"
    try:
        with open_plain(source) as reader, probe.open("wb") as writer:
            return _clone(reader, writer)
    except OSError:
        return False
    finally:
        with suppress(OSError):
            probe.unlink()


def _copy(source: Path, file: BinaryIO) -> None:
    with open_plain(source) as reader:
        before = os.fstat(reader.fileno())
        if not _clone(reader, file):
            _copy_bytes(reader, file)
        file.flush()
        after = os.fstat(reader.fileno())
        size = os.fstat(file.fileno()).st_size
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns) or size != before.st_size:
        raise InputError(f"{source} changed while it was copied; expected a file at rest; run the command again")
    os.utime(file.name, ns=(before.st_atime_ns, before.st_mtime_ns))


def _clone(reader: BinaryIO, writer: BinaryIO) -> bool:
    try:
        fcntl.ioctl(writer.fileno(), FICLONE, reader.fileno())
    except OSError as error:
        if error.errno in _CANNOT:
            return False
        raise
    return True


def _copy_bytes(reader: BinaryIO, writer: BinaryIO) -> None:
    """Let the system copy, if it can: on some file systems no byte goes through this machine."""
    copy: Callable[[int, int, int], int] | None = getattr(os, "copy_file_range", None)
    try:
        while copy is not None and (copy(reader.fileno(), writer.fileno(), _CHUNK)):
            pass
    except OSError as error:
        if error.errno not in _CANNOT:
            raise
        copy = None
    if copy is None:
        reader.seek(0)
        writer.seek(0)
        writer.truncate()
        shutil.copyfileobj(reader, writer, _CHUNK)


def _link(source: Path, target: Path, link: Link) -> None:
    temporary = target.with_name(f".{target.name}.{socket.gethostname()}.{os.getpid()}.tmp")
    make_folder(target.parent)
    with suppress(FileNotFoundError):
        temporary.unlink()
    try:
        if link == "hard":
            os.link(source, temporary)
        else:
            temporary.symlink_to(source.absolute())
        if os.path.lexists(target) and os.path.samestat(os.lstat(temporary), os.lstat(target)):
            return  # rename does nothing where both are the same file
        temporary.replace(target)
    finally:
        with suppress(FileNotFoundError):
            temporary.unlink()
