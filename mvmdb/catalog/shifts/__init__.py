"""Shifts of overlapping exposures in the catalog: what is to be measured, what was, and what follows for layers."""
