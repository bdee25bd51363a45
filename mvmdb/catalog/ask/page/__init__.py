"""What the sky map shows: every exposure in a few numbers, and all of one projection cell."""
