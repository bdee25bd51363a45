"""Poller files: their format, which exposures are NEW in them, and the exposures that a file names."""
