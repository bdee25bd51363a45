"""One engine serves all of a process that open a catalog alike, and the last of them closes its connections."""

from __future__ import annotations

from databases import Databases
from sqlalchemy import event

from mvmdb.catalog.configure import initialise
from mvmdb.catalog.open import Engine, open_catalog


class Connections:
    """How many connections of an engine are open."""

    def __init__(self, engine: Engine) -> None:
        self.open = 0
        event.listen(engine, "connect", lambda *_: self._count(1))
        event.listen(engine, "close", lambda *_: self._count(-1))

    def _count(self, more: int) -> None:
        self.open += more


def test_blocks_within_each_other_share_an_engine_and_leave_no_connection(databases: Databases) -> None:
    address = databases.catalog()
    initialise(address)
    with open_catalog(address) as engine:
        engine.dispose()  # of a connection that nobody counted
        connections = Connections(engine)
        with engine.begin():
            with open_catalog(address, read_only=True) as reader:
                assert reader is not engine
            assert connections.open == 1
        with engine.connect() as connection:
            with open_catalog(address) as other:
                assert other is engine
            assert connections.open == 2
            assert connection.exec_driver_sql("SELECT 1").scalar() == 1
    assert connections.open == 0
    with open_catalog(address) as again, again.begin():
        assert again is engine
        assert connections.open == 1
    assert connections.open == 0
