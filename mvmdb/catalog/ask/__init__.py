"""Questions to the catalog: users' SQL, and all that is known about one layer, sky cell or exposure."""
