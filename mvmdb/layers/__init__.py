"""What layers should be made of, and why a product is stale. Values in, values out: no database, no file."""
