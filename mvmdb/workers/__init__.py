"""Work done for a caller by others: executors for many items, one background thread, one child process.

No other room starts threads or processes; a test holds that (tests/workers/test_only_workers.py).
"""
