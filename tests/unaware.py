"""Runs a module in a Python that has no mvmdb: `python unaware.py MODULE ARGUMENT...`."""

from __future__ import annotations

import runpy
import sys
from typing import Any


class Absent:
    """Finds no mvmdb, wherever it is installed."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
        if name.partition(".")[0] == "mvmdb":
            raise ModuleNotFoundError("No module named 'mvmdb'", name="mvmdb")


if __name__ == "__main__":
    sys.meta_path.insert(0, Absent())  # type: ignore[arg-type]
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
