"""Shifts of overlapping exposures: compact sources found, matched by voting, and places solved for; numpy alone."""
