"""One FITS file: its cards, WCS and pixels, of which no more is read than needed."""
