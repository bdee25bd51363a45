"""Runs that share work: a claim excludes the others until it is given back, or its lease runs out."""

from __future__ import annotations

import datetime as dt
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import sqlalchemy as sa
from databases import Databases, PostgresDatabases
from postgres import Server

from mvmdb.catalog import due_pollers
from mvmdb.catalog.claims.alive import identify_process, load_at_work, load_claimed
from mvmdb.catalog.claims.coordinator import Coordinator, can_share, coordinate
from mvmdb.catalog.open import Engine, open_catalog
from mvmdb.schema import tables as t

ONE, TWO = "hst_skycell-p0726x11y11_wfc3_ir_f125w_all", "hst_skycell-p0726x11y11_wfc3_ir_f125w_coarse-all"
LEASE = 300.0


@dataclass
class Clock:
    time: dt.datetime = dt.datetime(2020, 11, 26, 2)

    def __call__(self, connection: object) -> dt.datetime:
        return self.time

    def advance(self, seconds: float) -> None:
        self.time += dt.timedelta(seconds=seconds)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def together(postgres: Server) -> Iterator[Engine]:
    """A catalog on which several runs work at once."""
    databases = PostgresDatabases(postgres)
    with open_catalog(databases.catalog()) as opened:
        assert can_share(opened)
        yield opened
    databases.drop()


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[Engine]:
    """A catalog on which the folder's lock lets one run work at a time."""
    with open_catalog(str(tmp_path / "mvm.db"), create=True) as opened:
        assert not can_share(opened)
        yield opened


@pytest.fixture
def engine(databases: Databases) -> Iterator[Engine]:
    with open_catalog(databases.catalog(), create=True) as opened:
        yield opened


def join(engine: Engine, clock: Clock) -> Coordinator:
    coordinator = Coordinator(engine, clock=clock, lease_seconds=LEASE)
    coordinator.join()
    return coordinator


def claim(coordinator: Coordinator, layer: str) -> str | None:
    """Who has the layer, if it is not this one now."""
    with coordinator.engine.begin() as connection:
        holder = coordinator.claim(connection, layer)
    return None if holder is None else str(holder)


def release(coordinator: Coordinator, layer: str) -> bool:
    with coordinator.engine.begin() as connection:
        return coordinator.release(connection, layer)


def move_away(coordinator: Coordinator) -> None:
    """Let a coordinator seem to be of another host, whose processes cannot be seen."""
    with coordinator.engine.begin() as connection:
        changed = sa.update(t.coordinator).where(t.coordinator.c.owner == coordinator.owner)
        connection.execute(changed.values(host="node7", process="another-boot pid:[1] 17"))


def unfinished(engine: Engine) -> set[int]:
    with engine.begin() as connection:
        return due_pollers.load_unfinished(connection)


def test_a_claimed_layer_is_left_alone_and_its_maker_named(together: Engine, clock: Clock) -> None:
    first, second = join(together, clock), join(together, clock)
    assert claim(first, ONE) is None
    assert claim(first, ONE) is None  # as after a retry
    here = f"process {os.getpid()} on {socket.gethostname()}, since 2020-11-26 02:00:00 UTC"
    assert claim(second, ONE) == here
    assert claim(second, TWO) is None
    assert not first.is_alone()
    assert release(first, ONE)
    assert claim(second, ONE) is None
    second.leave(finished=True)
    assert claim(first, TWO) is None
    assert first.is_alone()


def test_a_lease_that_is_renewed_holds_and_one_that_has_run_out_is_taken_over(together: Engine, clock: Clock) -> None:
    first, second = join(together, clock), join(together, clock)
    with together.begin() as connection:
        first.announce(connection, [7, 5])
    claim(first, ONE)
    move_away(first)
    for _ in range(4):
        clock.advance(LEASE - 1)
        first.renew()
        move_away(first)
        assert claim(second, ONE) is not None
    clock.advance(LEASE)
    second.renew()
    assert claim(second, ONE) is None
    assert not release(first, ONE), "the first must hear that its claim was taken over"
    assert claim(first, ONE) is not None
    assert unfinished(together) == {5, 7}


def test_a_sign_of_life_renews_the_lease(engine: Engine, clock: Clock) -> None:
    first = join(engine, clock)
    clock.advance(LEASE - 1)
    first.renew()
    with engine.begin() as connection:
        row = connection.execute(sa.select(t.coordinator)).one()
    assert row.started_at == dt.datetime(2020, 11, 26, 2)
    assert row.renewed_at == clock.time
    assert row.expires_at == clock.time + dt.timedelta(seconds=LEASE)


def test_a_sign_of_life_does_not_wait_for_a_writer(together: Engine, clock: Clock) -> None:
    first = join(together, clock)
    clock.advance(60)
    with together.begin():  # a long import, say
        first.renew()
    with together.begin() as connection:
        assert connection.scalar(sa.select(t.coordinator.c.renewed_at)) == clock.time


def test_a_run_whose_process_has_ended_here_is_taken_over_at_once(together: Engine, clock: Clock) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        first, second = join(together, clock), join(together, clock)
        claim(first, ONE)
        with together.begin() as connection:
            change = {"pid": process.pid, "process": identify_process(process.pid)}
            connection.execute(sa.update(t.coordinator).where(t.coordinator.c.owner == first.owner).values(change))
        assert claim(second, ONE) is not None
        process.kill()
        process.wait()
    assert claim(second, ONE) is None


def test_another_process_with_the_same_number_is_another_process(together: Engine, clock: Clock) -> None:
    first, second = join(together, clock), join(together, clock)
    claim(first, ONE)
    with together.begin() as connection:
        earlier = identify_process(os.getpid()).rsplit(" ", 1)[0] + " 1"
        connection.execute(sa.update(t.coordinator).where(t.coordinator.c.owner == first.owner).values(process=earlier))
    assert claim(second, ONE) is None


def test_on_sqlite_whoever_has_the_folder_is_the_only_one(alone: Engine, clock: Clock) -> None:
    killed = join(alone, clock)
    with alone.begin() as connection:
        killed.announce(connection, [3])
        killed.claim(connection, ONE)
    move_away(killed)
    after = join(alone, clock)
    assert claim(after, ONE) is None
    assert unfinished(alone) == {3}


def test_a_run_that_ends_leaves_nothing_and_one_that_fails_its_cells(engine: Engine) -> None:
    with coordinate(engine) as finished:
        with engine.begin() as connection:
            finished.announce(connection, [3])
            finished.claim(connection, ONE)
        with engine.begin() as connection:
            (run,) = load_at_work(connection)
            assert (run.holder.pid, run.layers) == (os.getpid(), (ONE,))
            assert load_claimed(connection).keys() == {ONE}
            assert load_claimed(connection, but=finished.owner) == {}
    assert unfinished(engine) == set()

    def fail() -> None:
        with coordinate(engine) as failing:
            with engine.begin() as connection:
                failing.announce(connection, [4])
                failing.claim(connection, ONE)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert unfinished(engine) == {4}
    with engine.begin() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(t.coordinator)) == 0
        assert connection.scalar(sa.select(sa.func.count()).select_from(t.claim)) == 0
