"""The catalog and the sky map on localhost, by Datasette.

`plugin.py` is what Datasette itself finds (an entry point), in `mvmdb serve` and wherever else it runs.
"""
