"""Drizzling: pixel coordinates, squares of chips, bands of rows, helper processes."""
