"""Drizzle parameters that a user sets in a file, in TOML or drizzlepac's JSON, instead of those that mvmdb chooses."""
