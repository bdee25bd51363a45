"""Compares product files with the catalog, plans what is stale, and makes and records it."""
