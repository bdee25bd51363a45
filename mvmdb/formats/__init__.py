"""Coverage and observations in the formats that other programs open."""
