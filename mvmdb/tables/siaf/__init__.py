"""The telescope's aperture file, and the footprints that it gives."""
