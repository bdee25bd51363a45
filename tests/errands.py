"""What tests have executors and child processes do: functions that any process can load by name."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from mvmdb.errors import ExposureError
from mvmdb.workers.child import Send


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
    for descriptor in range(3, 20):
        try:
            os.write(descriptor, (1000).to_bytes(8, "little") + b"half")
        except OSError:
            continue
    die(13)
