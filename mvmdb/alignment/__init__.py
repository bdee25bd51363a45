"""Aligns exposures to each other and to a reference catalog; the only room that imports tweakwcs and photutils."""
