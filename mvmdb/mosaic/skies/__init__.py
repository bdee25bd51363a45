"""Sky matching: skies of overlapping members measured, and solved for."""
