"""Servers that fail, lie or are slow: what may pass is tried again, all else is an error, and nothing hangs."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from archive import Archive
from fitsfiles import set_keywords
from webserver import WebServer, serve, touch_later

from mvmdb.errors import ExposureError
from mvmdb.exposures.read import read_exposure
from mvmdb.remote.files import open_headers, open_pixels, stamp_of
from mvmdb.remote.health import MOST_IN_A_ROW, REST, Health


@pytest.fixture
def exposure(here: Archive, web: WebServer) -> Path:
    """An exposure of the web whose headers take two requests."""
    return here.expose(folder=web.root, shape=(300, 300))


def why(address: str) -> str:
    with pytest.raises(ExposureError) as caught:
        read_exposure(address)
    assert caught.value.code == "unreadable"
    return str(caught.value)


def test_what_may_pass_is_tried_again(exposure: Path, web: WebServer) -> None:
    web.failing[f"/{exposure.name}"] = [503, 0, 429]  # 0: the connection is reset
    assert read_exposure(web.at(exposure)).exposure == read_exposure(exposure).exposure


def test_trying_again_has_an_end(exposure: Path, web: WebServer) -> None:
    web.failing[f"/{exposure.name}"] = [503] * 9
    assert "its server answers 503 Service Unavailable, 4 times; try again later" in why(web.at(exposure))
    assert web.asked["GET", f"/{exposure.name}"] == 4


@pytest.mark.parametrize(
    ("status", "words"),
    [(404, "its server has no such file"), (410, "no such file"), (403, "does not let it be read"),
     (401, "does not let it be read"), (400, "its server answers 400 Bad Request")],
)  # fmt: skip
def test_what_does_not_pass_is_said_at_once(exposure: Path, web: WebServer, status: int, words: str) -> None:
    web.failing[f"/{exposure.name}"] = [status]
    assert words in why(web.at(exposure))
    assert web.asked.total() == 1


def test_answer_that_is_cut_is_asked_for_again(exposure: Path, web: WebServer) -> None:
    web.cut[f"/{exposure.name}"] = [30_000]
    assert read_exposure(web.at(exposure)).exposure == read_exposure(exposure).exposure
    web.cut[f"/{exposure.name}"] = [30_000] * 9
    assert "cannot be read: " in why(web.at(exposure))


def test_silent_server_is_given_up(exposure: Path, web: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MVMDB_REMOTE_TIMEOUT", "0.3")
    web.silent.add(f"/{exposure.name}")
    started = time.monotonic()
    assert "its server did not finish its answer within 0.3 s" in why(web.at(exposure))
    assert time.monotonic() - started < 5


def test_server_that_never_ends_is_given_up(exposure: Path, web: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MVMDB_REMOTE_TIMEOUT", "0.3")
    web.slow.add(f"/{exposure.name}")
    started = time.monotonic()
    assert "its server did not finish its answer within 0.6 s" in why(web.at(exposure))
    (web.root / "b_flt.fits").write_bytes(bytes(10_000))
    web.slow.add("/b_flt.fits")
    with pytest.raises(OSError, match=r"did not finish its answer within 2.2 s"), open_pixels(web.at("b_flt.fits")):
        pass  # at 2 kB/s
    assert time.monotonic() - started < 20


def test_server_that_answers_nothing_is_left_alone_for_a_while() -> None:
    now = 0.0
    health = Health(lambda: now)
    for _ in range(MOST_IN_A_ROW - 1):
        health.fail()
    health.succeed()
    for _ in range(MOST_IN_A_ROW):
        health.check("https://host/a_flt.fits")
        health.fail()
    with pytest.raises(OSError, match="did not answer 32 requests in a row; try again later"):
        health.check("https://host/a_flt.fits")
    now = REST
    health.check("https://host/a_flt.fits")


def test_files_of_a_server_that_is_away_do_not_all_wait_for_it(here: Archive, tmp_path: Path) -> None:
    with serve(tmp_path) as other:
        addresses = [other.at(f"ib6o{n:02}tuq_flt.fits") for n in range(90)]
    report = here.ingest(*addresses)
    reasons = [problem.reason for problem in report.problems]
    assert sum("the connection fails" in reason for reason in reasons) in range(32, 64)
    assert sum("did not answer" in reason for reason in reasons) > 20
    assert len(reasons) == 90


def test_server_that_is_away_is_said(exposure: Path, tmp_path: Path) -> None:
    with serve(tmp_path) as other:
        address = other.at("a_flt.fits")
    assert "the connection fails" in why(address)


def test_server_without_parts_is_refused_before_it_sends_a_whole_file(here: Archive, web: WebServer) -> None:
    path = here.expose(folder=web.root, shape=(1500, 1500))
    web.ranges = False
    assert "its server sends no parts of files (Range)" in why(web.at(path))
    assert web.total < path.stat().st_size / 2


def test_compressed_answers_are_refused(exposure: Path, web: WebServer) -> None:
    web.packed.add(f"/{exposure.name}")
    assert "its server sends it as gzip" in why(web.at(exposure))


def test_file_that_changes_between_two_parts_is_not_mixed(exposure: Path, web: WebServer) -> None:
    def change() -> None:
        set_keywords(exposure, 0, {"TARGNAME": "OTHER"})
        touch_later(exposure)

    web.before[f"/{exposure.name}"] = [lambda: None, change]
    assert "changed while it was being read" in why(web.at(exposure))
    assert read_exposure(web.at(exposure)).exposure.target == "OTHER"


def test_empty_and_cut_files_are_what_they_are_on_a_disk(exposure: Path, web: WebServer) -> None:
    content = exposure.read_bytes()
    for length in (0, 100, 5000, 60_000, len(content) - 2880):
        exposure.write_bytes(content[:length])
        with pytest.raises(ExposureError) as here:
            read_exposure(exposure)
        with pytest.raises(ExposureError) as there:
            read_exposure(web.at(exposure))
        assert there.value.code == here.value.code == "truncated"
        assert str(there.value) == str(here.value).replace(str(exposure), web.at(exposure))


def test_server_that_takes_no_head_tells_the_state_in_another_way(exposure: Path, web: WebServer) -> None:
    known = stamp_of(web.at(exposure))
    web.heads = False
    assert stamp_of(web.at(exposure)) == known


def test_redirects_are_followed_to_http_alone(exposure: Path, web: WebServer, tmp_path: Path) -> None:
    secret = tmp_path / "secret_flt.fits"
    secret.write_bytes(exposure.read_bytes())
    web.redirects = {
        "/moved_flt.fits": web.at(exposure), "/local_flt.fits": f"file://{secret}", "/odd_flt.fits": "gopher://x/y",
        "/round_flt.fits": "/round_flt.fits",
    }  # fmt: skip
    assert read_exposure(web.at("moved_flt.fits")).exposure.ipppssoo == "ib6o04tu"
    assert "expected an address of HTTP" in why(web.at("local_flt.fits"))
    assert "expected an address of HTTP" in why(web.at("odd_flt.fits"))
    assert "round in circles" in why(web.at("round_flt.fits"))


def test_faults_of_some_files_leave_the_others(here: Archive, web: WebServer) -> None:
    paths = [here.expose(f"ib6o0{n}tuq", folder=web.root) for n in range(1, 9)]
    web.failing[f"/{paths[2].name}"] = [403]
    web.redirects["/gone_flt.fits"] = "/nowhere"
    (web.root / "text_flt.fits").write_text("This is no FITS file.")
    report = here.ingest(*map(web.at, paths), web.at("gone_flt.fits"), web.at("text_flt.fits"))
    assert (report.new, report.quarantined) == (7, 3)
    kinds = dict(here.rows("SELECT path, kind FROM quarantine"))
    assert kinds == {web.at(paths[2]): "unreadable", web.at("text_flt.fits"): "not-fits"}
    web.failing.clear()
    assert here.ingest(web.at(paths[2])).new == 1
    assert [path for (path,) in here.rows("SELECT path FROM quarantine")] == [web.at("text_flt.fits")]


def test_reading_moves_no_more_than_it_must(exposure: Path, web: WebServer) -> None:
    with open_headers(web.at(exposure)) as opened:
        assert opened.stream.read(9) == b"SIMPLE  ="
        opened.stream.seek(0)
        assert opened.stream.read(60_000) == exposure.read_bytes()[:60_000]
        assert web.total == 64 << 10
        opened.stream.seek(-10, 2)
        assert opened.stream.read() == exposure.read_bytes()[-10:]
        assert opened.stream.read(1) == b""
        opened.stream.seek(70_000)
        assert opened.stream.read(200_000) == exposure.read_bytes()[70_000:270_000]


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mvmdb.remote.web._PAUSE", 0.01)
