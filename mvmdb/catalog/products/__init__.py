"""The rows of products: what was made or found, and what is expected of those that may be stale."""
