"""Which chips contribute to which pixels of a mosaic, from the outlines in its own table."""
