"""The command query as a process: it hears signals at once, and its memory does not grow with the answer."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import deque
from pathlib import Path
from typing import Any

import pytest
from databases import Databases
from processes import wait_until

from mvmdb.catalog.configure import initialise

pytestmark = pytest.mark.slow

PROGRAM = [sys.executable, "-m", "mvmdb"]
ENDLESS = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT 1 FROM c) SELECT count(*) FROM c"
N = 250_000
MANY = (
    f"WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < {N}) "
    "SELECT x, x / 7.0 AS a, 'skycell-p' || x AS b, 'hst_skycell-' || (x * 3) AS c, NULL AS d FROM c"
)


@pytest.fixture
def address(databases: Databases) -> str:
    made = databases.catalog()
    initialise(made)
    return made


def start(address: str, *words: str, **options: Any) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*PROGRAM, "--db", address, "query", *words],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        # A background job of a shell is born deaf to SIGINT, and this test may run in one.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509
        **options,
    )  # fmt: skip


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_an_endless_query_at_once(address: str, number: int, code: int) -> None:
    process = start(address, ENDLESS)
    try:
        wait_until(lambda: n_threads(process.pid) > 1)  # the second one runs the query
        process.send_signal(number)
        out, err = process.communicate(timeout=20)
    finally:
        process.kill()
    assert (process.returncode, out) == (code, "")
    assert err.strip() == "mvmdb: stopped; what was finished is recorded, and the next run goes on from there"


def n_threads(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/task"))


def test_a_time_limit_is_kept_with_exit_code_2(address: str) -> None:
    process = start(address, ENDLESS, "--timeout", "0.5")
    try:
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert (process.returncode, out) == (2, "")
    assert "mvmdb: the query took longer than 0.5 s" in err


def peak_and_output(address: str, *words: str) -> tuple[int, str]:
    """Peak memory of a process in bytes, and the last line that it printed."""
    with subprocess.Popen([*PROGRAM, "--db", address, "query", *words], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        last = deque(process.stdout, maxlen=1)[0]
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return usage.ru_maxrss * 1024, last


def peak_above_least(address: str, *words: str) -> tuple[int, str]:
    least, _ = peak_and_output(address, "SELECT 1", *words)
    peak, last = peak_and_output(address, MANY, *words)
    return peak - least, last


LITTLE = 60e6
"""Bytes; the rows alone would take 100 MB."""


def test_memory_does_not_grow_with_the_answer(address: str) -> None:
    grown, last = peak_above_least(address, "--csv")
    assert last.startswith(f"{N},")
    assert grown < LITTLE


@pytest.mark.parametrize("form", ["--json", "--nl", None])
def test_memory_does_not_grow_with_what_is_printed(tmp_path: Path, form: str | None) -> None:
    address = str(tmp_path / "mvm.db")
    initialise(address)
    grown, last = peak_above_least(address, *([] if form is None else [form]))
    assert last == "]\n" if form == "--json" else str(N) in last
    assert grown < LITTLE


def test_many_rows_are_one_valid_list(address: str) -> None:
    done = subprocess.run(
        [*PROGRAM, "--db", address, "query", f"{MANY} LIMIT 20000", "--json"], capture_output=True, check=True
    )
    values = json.loads(done.stdout)
    assert len(values) == 20_000
    assert values[-1] == {"x": 20_000, "a": 20_000 / 7, "b": "skycell-p20000", "c": "hst_skycell-60000", "d": None}
