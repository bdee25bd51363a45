"""What only the catalog knows, kept in a small file beside the products, so that a lost catalog can be rebuilt."""
