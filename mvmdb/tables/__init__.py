"""A table of exposures becomes batches of exposures, whatever its format and column names; nothing is stored here."""
