"""Deciding what is stale and why (expected, diff), and making it fresh (observe, run)."""
