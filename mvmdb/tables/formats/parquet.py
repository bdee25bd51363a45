"""Parquet files as chunks of rows. This is the only module that imports pyarrow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mvmdb.errors import InputError
from mvmdb.tables.formats.source import MOST_AT_ONCE, Chunk, Format, Reject

_ROWS_AT_ONCE = 1000  # so that rows of any length are noticed before they fill the memory


class ParquetTable:
    """A Parquet file; needs pyarrow, which the extra `tables` installs."""

    def __init__(self, path: str):
        try:
            import pyarrow
            import pyarrow.parquet
        except ModuleNotFoundError as error:
            raise InputError(
                f"{path} is a Parquet file, and pyarrow is not installed; expected the extra tables: "
                'pip install "mvmdb[tables]", or convert the file to CSV'
            ) from error
        self.format: Format = "parquet"
        self._path = path
        self._errors = (pyarrow.ArrowException, OSError)
        self._done = 0
        try:
            # Without pre_buffer a column is read page by page; with it, a whole row group is held.
            self._file = pyarrow.parquet.ParquetFile(path, pre_buffer=False, buffer_size=1 << 16)
        except self._errors as error:
            raise InputError(f"{path} cannot be read as Parquet: {error}; fetch it again") from error
        self.names = tuple(self._file.schema_arrow.names)
        self.length = int(self._file.metadata.num_rows)

    def done(self) -> int:
        """Number of rows that were read."""
        return self._done

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def chunks(self, positions: Sequence[int], size: int, reject: Reject) -> Iterator[Chunk]:
        """See TableSource; values are plain Python values, including dates."""
        names = [self.names[position] for position in positions]
        columns: list[list[object]] = [[] for _ in names]
        begin = n_bytes = 0
        try:
            few = min(size, _ROWS_AT_ONCE)
            for batch in self._file.iter_batches(batch_size=few, columns=list(dict.fromkeys(names))):
                if batch.nbytes > MOST_AT_ONCE:
                    raise InputError(
                        f"{self._path} has {batch.nbytes} bytes in {batch.num_rows} rows; expected rows of exposures"
                    )
                full = self._done - begin + batch.num_rows > size or n_bytes + batch.nbytes > MOST_AT_ONCE
                if full and self._done > begin:
                    yield Chunk(range(begin + 1, self._done + 1), columns, self._done)
                    columns, begin, n_bytes = [[] for _ in names], self._done, 0
                self._done += batch.num_rows
                n_bytes += batch.nbytes
                for values, name in zip(columns, names, strict=True):
                    values.extend(batch.column(name).to_pylist())
            yield Chunk(range(begin + 1, self._done + 1), columns, self._done)
        except self._errors as error:
            raise InputError(f"{self._path} is damaged: {error}; fetch it again") from error
