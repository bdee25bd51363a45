"""Pictures of mosaics, for people to look at."""
