"""Messages through pipes: each is its length and its bytes. workers/child.py says what they mean."""

from __future__ import annotations

import io
from collections.abc import Callable

Ready = Callable[[], object]
"""Waits until a pipe can be read or written, and raises what ends the waiting; nothing where the pipe itself waits."""

_LENGTH_BYTES = 8


def write_message(pipe: io.RawIOBase, message: bytes, ready: Ready = lambda: None) -> None:
    """Write one message. Raises BrokenPipeError where the other side ended."""
    for piece in (len(message).to_bytes(_LENGTH_BYTES, "little"), message):
        view = memoryview(piece)
        while view:
            ready()
            view = view[pipe.write(view) or 0 :]


def read_message(pipe: io.RawIOBase, ready: Ready = lambda: None) -> bytearray:
    """The next message. Raises EOFError if the other side has ended, even in the middle of a message."""
    length = int.from_bytes(_read_exactly(pipe, _LENGTH_BYTES, ready), "little")
    return _read_exactly(pipe, length, ready)


def _read_exactly(pipe: io.RawIOBase, n: int, ready: Ready) -> bytearray:
    data = bytearray(n)
    view = memoryview(data)
    while view:
        ready()
        n_read = pipe.readinto(view)
        if n_read == 0:
            raise EOFError
        view = view[n_read or 0 :]
    view.release()
    return data
