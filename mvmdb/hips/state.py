"""Which mosaics each tile of a HiPS was made from: a small file in its folder, so that only changes are made."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mvmdb.atomic import replace_file
from mvmdb.errors import InputError, UsageError

NAME = "mvmdb-hips.json"
_VERSION = 1


@dataclass(slots=True)
class State:
    """`what` it shows; for each tile of the highest order (by its number) the `tiles`' digest of mosaics and options.

    A tile without a value has an entry and no file. `unfinished`: tiles that were changed, whose ancestors were not
    made again yet.
    """

    what: dict[str, object]
    tiles: dict[int, str] = field(default_factory=dict)
    filled: set[int] = field(default_factory=set)
    unfinished: set[int] = field(default_factory=set)


def load_state(folder: Path, what: Mapping[str, object]) -> State:
    """The state of a folder, which may be missing or empty.

    Raises UsageError if the folder holds something else than this HiPS, InputError if its file cannot be read.
    """
    path = folder / NAME
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        others = (
            [entry.name for entry in folder.iterdir() if not entry.name.startswith(".mvmdb")] if folder.is_dir() else []
        )
        if others:
            raise UsageError(
                f"{folder} is not empty, and not a HiPS made by mvmdb (it has no {NAME}); give another folder with -o"
            ) from None
        return State(dict(what))
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); make it readable") from error
    try:
        read = json.loads(text)
        state = State(
            dict(read["what"]), {int(number): str(key) for number, key in read["tiles"].items()},
            {int(number) for number in read["filled"]}, {int(number) for number in read["unfinished"]},
        )  # fmt: skip
        version = read["version"]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path} is damaged ({error!r}); remove {folder}, and make the HiPS anew") from error
    if version != _VERSION or state.what != dict(what):
        raise UsageError(
            f"{folder} holds another HiPS: found {state.what}, expected {dict(what)}; give another folder with -o, or "
            "remove this one"
        )
    return state


def save_state(folder: Path, state: State) -> None:
    """Replace the state's file."""
    text = json.dumps(
        {
            "version": _VERSION, "what": state.what, "filled": sorted(state.filled),
            "unfinished": sorted(state.unfinished), "tiles": {str(n): state.tiles[n] for n in sorted(state.tiles)},
        },
        separators=(",", ":"),
    )  # fmt: skip
    replace_file(folder / NAME, lambda file: file.write(text.encode()))
