"""Poller files: their format, the rows that say which exposures are NEW, and the exposures that a file names."""
