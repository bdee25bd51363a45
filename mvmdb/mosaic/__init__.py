"""Making mosaics: sky matching, drizzling, and the product file with its provenance. Nothing here knows the catalog."""
