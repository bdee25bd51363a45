"""What tests have crews do: functions that any process can load by name."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path


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
