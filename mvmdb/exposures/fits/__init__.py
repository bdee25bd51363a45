"""One FITS file: its cards, WCS and pixels, read with no more than is needed."""
