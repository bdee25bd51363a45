"""Numbers that are none, or too large for a date or a database, are refused where they are given."""

from __future__ import annotations

import pytest
from archive import Archive, call

REFUSED = {
    ("nightly", "INBOX", "--wait", "nan"): "is no number of seconds",
    ("ingest", "INBOX", "--worker-timeout", "nan"): "is no number of seconds",
    ("query", "SELECT 1", "--timeout", "nan"): "is no number of seconds",
    ("nightly", "INBOX", "--wait", "-1"): "not in the range",
    ("init", "--keep-history", "740000"): "expected 36525 at most",
    ("init", "--keep-history", "999999999999"): "expected 36525 at most",
    ("history", "--since", "0001-01-01T00:00+05:00"): "is no time from the years 1 to 9999",
    ("history", "--until", "9999-12-31T23:59-05:00"): "is no time from the years 1 to 9999",
    ("history", "--since", "999999w"): "is no time",
    ("history", "--run", "99999999999999999999999"): "not in the range",
    ("search", "exposures", "--date", "0001-01-01T00:00+05:00", "2020-01-01"): "is no time from the years",
    ("search", "exposures", "--limit", "-1"): "not in the range",
    ("search", "exposures", "--at", "1", "2", "--radius", "nan"): "expected 0 to 30",
    ("cells", "--at", "1", "2", "--radius", "nan"): "expected 0 to 30",
    ("mosaic", "--at", "1", "2", "--size", "nan", "--filter", "f125w"): "expected more than 0",
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    folder = tmp_path_factory.mktemp("limits")
    archive = Archive(folder, str(folder / "mvm.db"))
    archive.expose(shape=(16, 16))
    archive.night()
    return archive


@pytest.mark.parametrize("words", REFUSED, ids=" ".join)
def test_it_is_refused(made: Archive, words: tuple[str, ...]) -> None:
    done = call(made, *(word.replace("INBOX", str(made.inbox)) for word in words))
    assert done.exit_code != 0
    assert REFUSED[words] in f"{done.output} {done.exception}"
    assert not isinstance(done.exception, OverflowError)


def test_waiting_for_ever_can_be_asked_for(made: Archive) -> None:
    assert call(made, "nightly", str(made.inbox), "--wait", "inf", "--jobs", "1").exit_code == 0


def test_a_setting_that_another_version_wrote_stops_no_night(made: Archive) -> None:
    import sqlite3
    from contextlib import closing

    with closing(sqlite3.connect(made.address)) as connection, connection:
        connection.execute("INSERT OR REPLACE INTO archive VALUES ('history_days', '740000')")
    assert call(made, "nightly", str(made.inbox), "--jobs", "1").exit_code == 0
