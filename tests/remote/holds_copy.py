"""Opens a file elsewhere through the cache, says so, and holds it open until its standard input ends."""

from __future__ import annotations

import sys

from mvmdb.remote.files import open_pixels

with open_pixels(sys.argv[1]) as opened:
    print(len(opened.stream.read()), flush=True)
    sys.stdin.read()
