"""Runs commands in one process that notes every file, program and host that Python touches outside of given folders.

    python audited.py    # answers lines {"inside": [folders], "cwd": folder, "commands": [[words]]} with lines of JSON

Python tells its audit hooks of everything that it opens, lists, makes, renames, removes, starts or connects to
(docs.python.org: "Audit events table"). What the system itself needs is not noted: Python's own files, those of
installed packages, /proc, and places that libraries look into at their import.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

PATHS = {
    "open": (0,), "os.listdir": (0,), "os.scandir": (0,), "os.mkdir": (0,), "os.rmdir": (0,), "os.remove": (0,),
    "os.rename": (0, 1), "os.link": (0, 1), "os.symlink": (1,), "os.chmod": (0,), "os.chown": (0,), "os.truncate": (0,),
    "os.utime": (0,), "os.setxattr": (0,), "os.walk": (0,), "os.chdir": (0,), "glob.glob": (0,), "shutil.rmtree": (0,),
    "shutil.copyfile": (0, 1), "shutil.move": (0, 1), "sqlite3.connect": (0,), "tempfile.mkstemp": (0,),
    "tempfile.mkdtemp": (0,),
}  # fmt: skip
"""Events, and which of their arguments are paths."""
PROGRAMS = ("subprocess.Popen", "os.exec", "os.posix_spawn", "os.spawn", "os.system", "os.startfile", "pty.spawn")
HOSTS = ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "urllib.Request", "ftplib.connect")
CODE = ("code.__new__", "marshal.loads")
SYSTEM = ("/proc/", "/sys/", "/dev/null", "/dev/urandom", "/etc/localtime", "/usr/share/zoneinfo", "/etc/mime.types")


class Auditor:
    """An audit hook that notes what is outside."""

    def __init__(self) -> None:
        self.inside: tuple[str, ...] = ()
        self.noted: list[str] = []
        self.on = False

    def allow(self, inside: list[str]) -> None:
        """From now on, these folders are inside, with those of Python and of packages."""
        prefixes = {sys.prefix, sys.base_prefix, str(Path(os.__file__).parent), *map(str, sys.path), *inside}
        self.inside = tuple(sorted({os.path.realpath(prefix).rstrip("/") + "/" for prefix in prefixes if prefix}))

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.on:
            return
        if event in PATHS:
            for place in PATHS[event]:
                self._look(event, arguments[place])
        elif event in PROGRAMS or event in HOSTS:
            self.noted.append(f"{event} {arguments!r}"[:500])

    def _look(self, event: str, path: Any) -> None:
        if path is None or isinstance(path, int):
            return
        text = os.fsdecode(path)
        if event == "sqlite3.connect":
            text = text.removeprefix("file://").partition("?")[0]
        self.on = False  # realpath may be heard too
        whole = os.path.realpath(text)
        self.on = True
        if not (f"{whole}/").startswith((*self.inside, *SYSTEM)):
            self.noted.append(f"{event} {text}")


def main() -> None:
    from mvmdb import cli

    auditor = Auditor()
    sys.addaudithook(auditor)
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # nothing that a command or its children print may be taken for an answer
    for line in sys.stdin:
        answers.write(json.dumps(_carry_out(json.loads(line), auditor, cli.main)) + "\n")
        answers.flush()


def _carry_out(order: dict[str, Any], auditor: Auditor, run: Callable[[], None]) -> list[dict[str, Any]]:
    os.chdir(order["cwd"])
    auditor.allow(order["inside"])
    told = []
    for words in order["commands"]:
        out, err = io.StringIO(), io.StringIO()
        sys.argv = ["mvmdb", *words]
        auditor.on, auditor.noted = True, []
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), contextlib.suppress(SystemExit):
            code: object = "no exit"
            try:
                run()
            except SystemExit as leaving:
                code = leaving.code
        auditor.on = False
        told.append(
            {"words": words, "code": code, "out": out.getvalue(), "err": err.getvalue(), "noted": auditor.noted}
        )
    return told


if __name__ == "__main__":
    main()
