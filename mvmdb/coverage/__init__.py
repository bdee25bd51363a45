"""How much of the sky exposures cover, and how deeply: areas, depths and maps, from footprints alone."""
