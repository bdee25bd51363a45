"""What tests have executors and child processes do: functions that any process can load by name."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from mvmdb.errors import ExposureError, WorkersError
from mvmdb.workers.child import ChildProcess, Send
from mvmdb.workers.patience import Patience


def double(number: int) -> int:
    return 2 * number


def refuse(number: int) -> int:
    raise ZeroDivisionError(f"no {number}")


def die(number: int) -> int:
    """The process that is given 13 dies of it."""
    if number == 13:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def die_once(path: str) -> str:
    """The first process that is given this path dies of it, in the middle of writing it."""
    if not Path(path).exists():
        Path(path).write_text("begun")
        os.kill(os.getpid(), signal.SIGKILL)
    Path(path).write_text("whole")
    return path


def interrupt_itself(seconds: int) -> None:
    """The process is interrupted at its work, as by Ctrl-C, and would go on for a minute."""
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(60)


def stop_at_13(number: int) -> int:
    """The process that is given 13 is stopped, as by SIGSTOP of an operator."""
    if number == 13:
        os.kill(os.getpid(), signal.SIGSTOP)
    return number


def stop_at_13_or_double(number: int) -> int:
    """As `stop_at_13`, in the middle of its work."""
    if number == 13:
        time.sleep(1.0)
    return 2 * stop_at_13(number)


def read_pipe(path: str) -> str:
    """Reading a named pipe to which nobody writes never ends, as on storage that is gone."""
    with open(path) as file:
        return file.read()


def read_pipe_in_child(path: str) -> str:
    """As `read_pipe`, but it is a child of this process that hangs."""
    with ChildProcess(lambda status: WorkersError(str(status)), patience=Patience(0.0)) as child:
        Path(f"{path}.pid").write_text(str(child.pid))
        return child.submit(read_pipe, path)()


def work_slowly(seconds: float) -> float:
    """Work for some time, mostly waiting, as one who reads from slow storage."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        Path(__file__).read_bytes()
        sum(range(20_000))
        time.sleep(0.05)
    return seconds


def note_and_wait(path: str) -> None:
    """Wait for a minute, and clear up when interrupted; the file says how far it is."""
    Path(path).write_text("waiting")
    try:
        time.sleep(60)
    finally:
        Path(path).write_text("cleared up")


def say_process(number: int) -> int:
    return os.getpid()


def die_of_layers(layers: object) -> None:
    """The process that is to build rows of layers dies of it."""
    os.kill(os.getpid(), signal.SIGKILL)


def return_it(value: Any) -> Any:
    return value


def sleep_long() -> None:
    time.sleep(600)


def refuse_exposure(text: str) -> None:
    raise ExposureError("truncated", text)


def run_out_of_memory(number: int) -> None:
    raise MemoryError


def print_loudly(text: str) -> str:
    print(text, flush=True)
    return text


def has_imported(name: str) -> bool:
    return name in sys.modules


def send_numbers(send: Send[int], n: int) -> None:
    for number in range(n):
        send(number)


def send_and_refuse(send: Send[int], n: int) -> None:
    send_numbers(send, n)
    raise ZeroDivisionError


def send_and_die(send: Send[int], n: int) -> None:
    send_numbers(send, n)
    die(13)


def send_what_cannot_be(send: Send[object]) -> None:
    send(lambda: None)


def send_large_and_note(send: Send[bytes], path: str, n: int) -> None:
    """Send more than a pipe holds, n times, and write a letter for each before it is sent."""
    with open(path, "w") as file:
        for _ in range(n):
            file.write("x")
            file.flush()
            send(bytes(1_000_000))


def write_half_a_message() -> None:
    """The process dies when it has begun to answer."""
    _begin_to_answer()
    die(13)


def write_half_a_message_and_stop() -> None:
    """The process is stopped when it has begun to answer."""
    _begin_to_answer()
    stop_at_13(13)


def _begin_to_answer() -> None:
    for descriptor in range(3, 20):
        try:
            os.write(descriptor, (1000).to_bytes(8, "little") + b"half")
        except OSError:
            continue
