"""Runs work outside the caller's thread: executors for many items, a background thread, a child process.

No other room starts threads or processes (checked by tests/workers/test_only_workers.py).
"""
