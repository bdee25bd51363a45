"""What went wrong with a file elsewhere, as the OSError that a local file would raise; `strerror` says it in words."""

from __future__ import annotations

import errno

GONE = (404, 410)
_SHUT = (401, 403)


def gone(url: str) -> FileNotFoundError:
    """There is no such file."""
    return FileNotFoundError(errno.ENOENT, "its server has no such file", url)


def shut(url: str) -> PermissionError:
    """The server does not let it be read."""
    return PermissionError(
        errno.EACCES, "its server does not let it be read; expected credentials where fsspec looks for them", url
    )


def late(url: str, seconds: float) -> TimeoutError:
    """The server gave no answer in time."""
    words = f"its server did not finish its answer within {seconds:g} s; try again later"
    return TimeoutError(errno.ETIMEDOUT, words, url)


def changed(url: str) -> OSError:
    """Two answers were about different states of the file."""
    return OSError(errno.ESTALE, "it changed while it was being read; ingest it again", url)


def outdated(url: str) -> OSError:
    """The file is not in the state that the catalog has."""
    return OSError(errno.ESTALE, "it changed since it was registered; ingest it again", url)


def broken(url: str, words: str) -> OSError:
    """Anything else, in words."""
    return OSError(errno.EIO, words, url)


def of_status(url: str, status: int, reason: str | None) -> OSError:
    """An HTTP answer that is not the file."""
    if status in GONE:
        return gone(url)
    if status in _SHUT:
        return shut(url)
    return broken(url, f"its server answers {status} {reason or ''}".rstrip())


def in_words(url: str, error: Exception) -> OSError:
    """An error of some library as an OSError that has words."""
    if isinstance(error, FileNotFoundError):
        return gone(url)
    if isinstance(error, PermissionError) or type(error).__name__ == "NoCredentialsError":  # of botocore
        return shut(url)
    if isinstance(error, TimeoutError):
        return TimeoutError(errno.ETIMEDOUT, "its server gave no answer in time; try again later", url)
    if type(error).__name__ == "FileExpired" or (isinstance(error, OSError) and error.errno == errno.ESTALE):  # s3fs
        return changed(url)
    if isinstance(error, OSError) and error.strerror:
        return OSError(error.errno, error.strerror, url)
    return broken(url, f"{type(error).__name__}: {error}")
