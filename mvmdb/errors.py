"""The errors that mvmdb raises deliberately; each says what was found, what was expected, and the remedy."""

from __future__ import annotations


class MvmdbError(Exception):
    """The base class of errors that a user can cause; the command line prints one line and exits with 2."""


class UsageError(MvmdbError):
    """A command or function was asked for something impossible or incomplete (unknown sky cell, missing option)."""


class NameFormatError(UsageError, ValueError):
    """A text is not a sky cell, layer, exposure or product name."""


class InputError(MvmdbError):
    """A path, poller file or table given by the user cannot be used."""


class NothingViableError(InputError):
    """No exposure can be in a layer; `only_small` says whether MVM_INCLUDE_SMALL is the only reason."""

    def __init__(self, message: str, *, only_small: bool):
        super().__init__(message)
        self.only_small = only_small


class ExposureError(InputError):
    """One exposure file cannot be catalogued: unreadable, cut short or contradictory. Ingest quarantines it.

    `code` is one of the short codes of docs/eligibility.md, such as `truncated`.
    """

    def __init__(self, code: str, message: str):
        super().__init__(message)
        self.code = code

    def __reduce__(self) -> tuple[type, tuple[str, str]]:  # workers send it to another process
        return type(self), (self.code, str(self))


class ProductError(MvmdbError):
    """A mosaic file cannot be read, written or trusted."""


class MemberUnusableError(MvmdbError):
    """A member turned out to be unusable when its pixels were read; `rule` is the rule that it breaks, e.g. `empty`."""

    def __init__(self, ipppssoo: str, rule: str, message: str):
        super().__init__(message)
        self.ipppssoo = ipppssoo
        self.rule = rule

    def __reduce__(self) -> tuple[type, tuple[str, str, str]]:
        return type(self), (self.ipppssoo, self.rule, str(self))


class CatalogError(MvmdbError):
    """The database cannot be opened, is not mvmdb's, or has another schema version."""


class BusyError(MvmdbError):
    """Another run is working on the same products folder."""


class WorkersError(MvmdbError):
    """The chosen workers cannot be started, or a worker or its scheduler was lost during the work."""
