"""Whether rows agree with one another and with geometry, and how those that do not are computed again."""
