"""Plots of the tessellation and of the archive; the only room that imports matplotlib."""
