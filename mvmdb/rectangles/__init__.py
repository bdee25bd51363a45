"""Mosaics of any rectangle of a projection cell, across its sky cells."""
