"""The formats of tables, each read in batches of columns."""
