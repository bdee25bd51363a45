"""A worker's preload: its mvmdb says that it is another version."""

from __future__ import annotations

from mvmdb.workers import dask as cluster

cluster.__version__ = "0.0.9"
