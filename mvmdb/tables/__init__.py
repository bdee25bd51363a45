"""Turns a table of exposures, whatever its format and column names, into batches of exposures; stores nothing."""
