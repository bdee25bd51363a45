"""One exposure file becomes one value: headers, astrometry, eligibility, pixels; nothing is stored here."""
