"""Drizzling: coordinates, pieces of chips, bands of rows, helper processes."""
