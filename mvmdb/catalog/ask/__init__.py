"""Questions to the catalog: SQL of users, and everything known about one thing."""
