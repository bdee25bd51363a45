"""What lies in a folder under the name of an exposure and is no plain file, or has a name that nobody expects."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from chaos.lied.originals import Original


@dataclass(frozen=True)
class Oddity:
    """Something odd: what makes it in a folder, from a true exposure, and what may become of it.

    `expected` are codes of quarantined files, `registered` or `passed over`.
    """

    label: str
    make: Callable[[Path, Original], Path]
    expected: tuple[str, ...]

    def plant(self, inbox: Path, original: Original) -> str:
        """Make it, and return the path by which the catalog may know it."""
        path = os.fsencode(self.make(inbox, original))
        return path.decode("utf-8", "backslashreplace").replace("\\x", "\\udc") if _is_bytes(path) else path.decode()


def _is_bytes(path: bytes) -> bool:
    try:
        path.decode()
    except UnicodeDecodeError:
        return True
    return False


def _link(inbox: Path, original: Original, target: str) -> Path:
    path = inbox / original.filename
    path.symlink_to(target)
    return path


def _circle(inbox: Path, original: Original) -> Path:
    return _link(inbox, original, original.filename)


def _ring(inbox: Path, original: Original) -> Path:
    (inbox / "there").mkdir()
    (inbox / "there" / original.filename).symlink_to(f"../{original.filename}")
    return _link(inbox, original, f"there/{original.filename}")


def _folders_in_a_circle(inbox: Path, original: Original) -> Path:
    (inbox / "deep" / "er").mkdir(parents=True)
    (inbox / "deep" / "er" / "up").symlink_to("../..")
    path = inbox / "deep" / original.filename
    path.write_bytes(original.content)
    return path


def _pipe(inbox: Path, original: Original) -> Path:
    path = inbox / original.filename
    os.mkfifo(path)
    return path


def _linked_pipe(inbox: Path, original: Original) -> Path:
    os.mkfifo(inbox / "pipe")
    return _link(inbox, original, "pipe")


def _socket(inbox: Path, original: Original) -> Path:
    path = inbox / original.filename
    with socket.socket(socket.AF_UNIX) as server:  # the path of a socket must be short
        here = os.getcwd()
        os.chdir(inbox)
        server.bind(original.filename)
        os.chdir(here)
    return path


def _folder(inbox: Path, original: Original) -> Path:
    path = inbox / original.filename
    path.mkdir()
    return path


def _in_a_folder_of_that_name(inbox: Path, original: Original) -> Path:
    inside = _folder(inbox, original) / original.filename
    inside.write_bytes(original.content)
    return inside


def _unreadable(inbox: Path, original: Original) -> Path:
    path = inbox / original.filename
    path.write_bytes(original.content)
    path.chmod(0)
    return path


def _named(template: bytes) -> Callable[[Path, Original], Path]:
    """A true exposure with another name; `ROOT` in it stands for its root name."""

    def make(inbox: Path, original: Original) -> Path:
        name = template.replace(b"ROOT", original.root.encode())
        path = os.path.join(os.fsencode(inbox), name)
        with open(path, "wb") as file:
            file.write(original.content)
        return Path(os.fsdecode(path))

    return make


def _device(target: str) -> Callable[[Path, Original], Path]:
    return lambda inbox, original: _link(inbox, original, target)


_LONGEST = 255
_UNUSABLE = ("unreadable",)
_ODD_NAMES = {
    "a newline in the name": b"new\nline_flt.fits",
    "control characters in the name": b"\x1b[2J\x07\x01_flt.fits",
    "a carriage return in the name": b"a\rb_flt.fits",
    "quotes in the name": b"a'b\"c; --_flt.fits",
    "an option for a name": b"--help_flt.fits",
    "a percent sign in the name": b"%s%n{0}_flt.fits",
    "the longest name": b"x" * (_LONGEST - len("_flt.fits")) + b"_flt.fits",
    "marks of direction in the name": "\u202egnp_flt.fits".encode(),
    "a C1 control character in the name": "a\x9bb_flt.fits".encode(),
    "a line separator in the name": "a\u2028b_flt.fits".encode(),
    "capitals in the name": b"X_FLT.FITS",
    "blanks in the name": b" a b _flt.fits",
    "a name of one letter": b"\xc3\xa9_flt.fits",
}
ODDITIES: Sequence[Oddity] = (
    Oddity("a link to itself", _circle, _UNUSABLE),
    Oddity("two links to one another", _ring, _UNUSABLE),
    Oddity("folders in a circle", _folders_in_a_circle, ("registered",)),
    Oddity("a link to nothing", _device("nowhere"), _UNUSABLE),
    Oddity("a pipe", _pipe, _UNUSABLE),
    Oddity("a link to a pipe", _linked_pipe, _UNUSABLE),
    Oddity("a socket", _socket, _UNUSABLE),
    Oddity("/dev/zero", _device("/dev/zero"), _UNUSABLE),
    Oddity("/dev/full", _device("/dev/full"), _UNUSABLE),
    Oddity("/dev/stdin", _device("/dev/stdin"), _UNUSABLE),
    Oddity("a file of /proc", _device("/proc/self/mem"), ("unreadable", "truncated", "not-fits")),
    Oddity("a folder", _folder, ("passed over",)),
    Oddity("a file in a folder of that name", _in_a_folder_of_that_name, ("registered",)),
    Oddity("no permission", _unreadable, ("registered",) if os.geteuid() == 0 else _UNUSABLE),
    *(Oddity(label, _named(name), ("registered",)) for label, name in _ODD_NAMES.items()),
    Oddity("not UTF-8", _named(b"na\xefve_flt.fits"), _UNUSABLE),
    Oddity("a surrogate in the name", _named(b"\xed\xa0\x80_flt.fits"), _UNUSABLE),
    Oddity("hidden", _named(b".ROOT_flt.fits"), ("passed over",)),
    Oddity("not an exposure's name", _named(b"ROOT_flt.fits.txt"), ("passed over",)),
)
