"""Tallies: how many exposures, how long, how many stale, and of which frames, by place, filter, month and program.

A tally is exact: all sums are of whole numbers, exposure times in milliseconds.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mvmdb.catalog.ask.page.exposures import GAIA, OTHER, MappedExposures

IntArray = NDArray[np.int64]


def tally(
    exposures: MappedExposures,
    chosen: IntArray,
    key: IntArray,
    stale: NDArray[np.bool_],
    mixed: NDArray[np.bool_],
    *,
    by_filter: bool = True,
    by_month: bool = True,
    by_program: bool = True,
) -> dict[str, Any]:
    """The columns of a tally of the exposures at the places `chosen`; `key`, `stale` and `mixed` are
    theirs, one per place.

    `k`: keys, in increasing order, each as the difference from the one before. `f`, `q`: places in the lists `filters`
    and `programs`; `m`: months. `n`: exposures, `t`: ms, `s`: stale ones, `x`: those in a layer that mixes frames, `g`:
    of the frame of Gaia, `o`: of another one; of the rest no frame is known.
    """
    columns: dict[str, IntArray] = {"k": key}
    lists: dict[str, list[Any]] = {}
    if by_filter:
        used, columns["f"] = np.unique(exposures.filter[chosen], return_inverse=True)
        lists["filters"] = [exposures.filters[number] for number in used.tolist()]
    if by_month:
        columns["m"] = exposures.month[chosen]
    if by_program:
        used, columns["q"] = np.unique(exposures.program[chosen], return_inverse=True)
        lists["programs"] = used.tolist()
    if not len(chosen):
        return lists | {name: [] for name in (*columns, "n", "t", "s", "x", "g", "o")}
    order = np.lexsort(tuple(reversed(columns.values())))
    ordered = {name: column[order] for name, column in columns.items()}
    new = np.zeros(len(order), bool)
    new[0] = True
    for column in ordered.values():
        new[1:] |= column[1:] != column[:-1]
    starts = np.flatnonzero(new)
    frame = exposures.frame[chosen][order]
    summed = {
        "n": np.ones(len(order), np.int64),
        "t": exposures.milliseconds[chosen][order],
        "s": stale[order].astype(np.int64),
        "x": mixed[order].astype(np.int64),
        "g": (frame == GAIA).astype(np.int64),
        "o": (frame == OTHER).astype(np.int64),
    }
    result = {name: column[starts] for name, column in ordered.items()}
    result["k"] = np.diff(result["k"], prepend=0)
    result |= {name: np.add.reduceat(column, starts) for name, column in summed.items()}
    return lists | {name: column.tolist() for name, column in result.items()}


def script(key: str, value: object) -> bytes:
    """A file that a browser can load from anywhere, a folder too: a call with a name and a value.

    JSON is JavaScript, and `<` is escaped, as is what JavaScript once took for the end of a line.
    """
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=True, allow_nan=False).replace("<", "\\u003c")
    return f"mvmdbPage.put({json.dumps(key)},{text});\n".encode("ascii")
