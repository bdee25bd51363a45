"""Records to rows and back: the only rooms that write to the catalog's tables."""
