"""The products' rows: what was made or seen, and what is expected where that differs."""
