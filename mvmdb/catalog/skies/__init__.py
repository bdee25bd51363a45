"""The rows of skies: which exposures are solved together, what was measured, and the values that mosaics subtract."""
