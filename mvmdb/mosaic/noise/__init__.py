"""Correlated noise: how neighbouring pixels of a mosaic share input pixels, and the errors of sums that follow."""
