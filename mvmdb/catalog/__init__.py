"""Records to rows and back: the only package that writes to the catalog's tables."""
