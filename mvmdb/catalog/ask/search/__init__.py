"""Searches for exposures, layers and products by what users know of them."""
