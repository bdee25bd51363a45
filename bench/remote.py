"""How many exposures of a web server are registered per second, how many bytes each moves, and the peak memory.

The server is on this machine, a process of its own: it takes a part of the same processors. The files are as long as
archive files and have real headers: WFC3/IR exposures of the ERS, and WFC3/UVIS ones with lookup tables and a whole
history of headerlets. Their pixels are holes. Needs ../shared.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter
from urllib.request import urlopen

from ingest import DIGITS, PER_FIELD, SHARED, write_hollow_copy, write_sources
from profiling import profiled

MOST_BYTES = 1_000_000
SIDES = {"SCI": (4096, 2051), "ERR": (4096, 2051), "DQ": (4096, 2051), "WCSDVARR": (64, 32), "D2IMARR": (64, 32)}


class Server(asyncio.Protocol):
    """Answers HEAD and GET, with Range, from one folder; counts what it sends."""

    folder = Path()
    requests = 0
    sent = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.received = b""

    def data_received(self, data: bytes) -> None:
        self.received += data
        while b"\r\n\r\n" in self.received:
            request, self.received = self.received.split(b"\r\n\r\n", 1)
            self.transport.write(self.answer(request))  # type: ignore[attr-defined]

    def answer(self, request: bytes) -> bytes:
        method, path, _ = request.split(b" ", 2)
        if path == b"/counts":
            counts = json.dumps([Server.requests, Server.sent]).encode()
            return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(counts), counts)
        Server.requests += 1
        descriptor = os.open(self.folder / path.decode().lstrip("/"), os.O_RDONLY)
        try:
            status = os.fstat(descriptor)
            wanted = re.search(rb"(?i)range: bytes=(\d+)-(\d+)", request)
            first, last = (
                (int(wanted[1]), min(int(wanted[2]), status.st_size - 1)) if wanted else (0, status.st_size - 1)
            )
            body = b"" if method == b"HEAD" else os.pread(descriptor, last - first + 1, first)
        finally:
            os.close(descriptor)
        Server.sent += len(body)
        part = b"Content-Range: bytes %d-%d/%d\r\n" % (first, last, status.st_size) if wanted else b""
        head = (
            b'HTTP/1.1 %s\r\nETag: "%x"\r\nLast-Modified: Thu, 01 Jan 2026 00:00:00 GMT\r\n%sContent-Length: %d\r\n\r\n'
        )
        return head % (b"206 Part" if wanted else b"200 OK", status.st_mtime_ns, part, last - first + 1) + body


async def serve(folder: Path) -> None:
    Server.folder = folder
    server = await asyncio.get_running_loop().create_server(Server, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def write_uvis(number: int, folder: Path) -> Path:
    """Write an FLC with the sample's headers, headerlets and tables, as exposure `number`, elsewhere on the sky."""
    from astropy.io import fits

    root = "ix" + "".join(DIGITS[number // 36**k % 36] for k in (3, 2, 1, 0)) + "00q"
    target = folder / f"{root}_flc.fits"
    source = SHARED / "data" / "headers" / "sample_ipppssoot_flc.fits"
    with fits.open(source) as hdus, target.open("wb") as out, source.open("rb") as original:
        for hdu in hdus:
            header, place = hdu.header.copy(), hdu.fileinfo()
            if hdu.name in ("PRIMARY", "SCI"):
                header["ROOTNAME"], header["FILENAME"] = root, target.name
            if hdu.name == "SCI":
                header["CRVAL1"] = (header["CRVAL1"] + 7.0 * (number // PER_FIELD)) % 360
            if "RA_TARG" in header:
                header["RA_TARG"] = (header["RA_TARG"] + 7.0 * (number // PER_FIELD)) % 360
            size = place["datSpan"]
            if hdu.name in SIDES:
                header["NAXIS1"], header["NAXIS2"] = SIDES[hdu.name]
                size = abs(header["BITPIX"]) // 8 * header["NAXIS1"] * header["NAXIS2"]
            out.write(header.tostring().encode("ascii"))
            if hdu.name not in SIDES:
                original.seek(place["datLoc"])
                out.write(original.read(size))
                continue
            out.truncate(out.tell() + -(-size // 2880) * 2880)
            out.seek(0, os.SEEK_END)
    return target


def run_once(folder: Path, port: int, jobs: int, profile: bool) -> dict[str, float]:
    """Register all files of `folder` from the server at `port`."""
    from mvmdb.catalog.exposures.ingest import ingest_files
    from mvmdb.catalog.open import open_catalog
    from mvmdb.workers.choice import ExecutorChoice, open_executor
    from mvmdb.workers.executor import Workers

    urls = sorted(f"http://127.0.0.1:{port}/{path.name}" for path in (folder / "web").iterdir())
    database = folder / "mvm.db"
    database.unlink(missing_ok=True)
    with open_catalog(str(database), create=True) as engine:
        before, started = os.times(), perf_counter()
        with profiled(profile), open_executor(ExecutorChoice(n=jobs)) as executor:
            report = ingest_files(engine, urls, workers=Workers(executor))
        seconds, after = perf_counter() - started, os.times()
    if report.new != len(urls):
        raise SystemExit(f"{report.new} of {len(urls)} files are new; problems: {report.problems[:3]}")
    peak = [resource.getrusage(who).ru_maxrss / 1024 for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    processors = sum(after[:4]) - sum(before[:4])
    return {"files": len(urls), "seconds": seconds, "processors": processors, "here": peak[0], "worker": peak[1]}


def counts(port: int) -> list[int]:
    with urlopen(f"http://127.0.0.1:{port}/counts") as answer:
        counted: list[int] = json.load(answer)
        return counted


def report_runs(what: str, folder: Path, jobs: int, repeat: int, profile: bool) -> None:
    """Print the fastest of several runs; end with an error where it is too slow or moves too much."""
    server = subprocess.Popen([sys.executable, __file__, "--serve", str(folder / "web")], stdout=subprocess.PIPE)
    try:
        assert server.stdout is not None
        port = int(server.stdout.readline())
        words = [sys.executable, __file__, "--one", str(folder), str(port), str(jobs)] + ["--profile"] * profile
        runs = [json.loads(subprocess.run(words, check=True, stdout=subprocess.PIPE).stdout) for _ in range(repeat)]
        requests, sent = (count / repeat for count in counts(port))
    finally:
        server.kill()
        server.wait()
    best = min(runs, key=lambda run: run["seconds"])
    n = best["files"]
    print(
        f"{what}: {n / best['seconds']:6.0f} exposures/s with {jobs} processes ({best['seconds']:.2f} s for {n}; "
        f"processors {1000 * best['processors'] / n:.1f} ms each, without the server); "
        f"{requests / n:.1f} requests and {sent / n / 1000:.0f} kB each; "
        f"peak memory {best['here']:.0f} MB here, {best['worker']:.0f} MB in a worker"
    )
    if sent / n > MOST_BYTES:
        raise SystemExit(f"{sent / n:.0f} bytes for an exposure; expected {MOST_BYTES} at most")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=600)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--repeat", type=int, default=3, help="runs, of which the fastest counts")
    parser.add_argument("--profile", action="store_true", help="show where this process (no worker) spends its time")
    parser.add_argument("--one", nargs=3, metavar=("FOLDER", "PORT", "JOBS"), help=argparse.SUPPRESS)
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        asyncio.run(serve(options.serve))
        return
    if options.one:
        folder, port, jobs = options.one
        print(json.dumps(run_once(Path(folder), int(port), int(jobs), options.profile)))
        return
    if not SHARED.is_dir():
        raise SystemExit(f"there is no folder {SHARED}; name it in MVMDB_SHARED")
    with tempfile.TemporaryDirectory(prefix="mvmdb-bench-") as name:
        for what in ("WFC3/IR", "WFC3/UVIS"):
            folder = Path(name) / what.replace("/", "-")
            (folder / "web").mkdir(parents=True)
            sources = write_sources(folder / "sources") if what == "WFC3/IR" else []
            for number in range(options.files):
                if sources:
                    write_hollow_copy(sources[number % len(sources)], number, folder / "web")
                else:
                    write_uvis(number, folder / "web")
            report_runs(what, folder, options.jobs, options.repeat, options.profile)


if __name__ == "__main__":
    main()
