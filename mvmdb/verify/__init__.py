"""Compares the catalog with products and exposures, and mends what has one right answer."""
