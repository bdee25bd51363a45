"""What happened, when and in which run: written here as it happens; `catalog.ask.history` reads it."""
