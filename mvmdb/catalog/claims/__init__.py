"""Runs that make layers of one archive at the same time, each with a lease, and the layers that they have claimed."""
