"""The tables of shifts: how far overlapping exposures lie apart, as measured, and where each lies by all of them."""

from __future__ import annotations

from sqlalchemy import Column, DateTime, Float, Index, Integer, String, Table, Text, literal_column

from mvmdb.schema.columns import may, metadata, must, reference

shift_pair = Table(
    "shift_pair",
    metadata,
    reference("first_id", "exposure.id", "exposure with the lower identity", primary_key=True),
    reference("second_id", "exposure.id", "exposure that overlaps it", primary_key=True, index=True),
    must("first_pixels", String(40), "pixels of the first when it was measured; it holds for no other"),
    must("first_wcs", String(40), "wcs_digest of the file of the first; it holds for no other"),
    must("second_pixels", String(40), "pixels of the second when it was measured; it holds for no other"),
    must("second_wcs", String(40), "wcs_digest of the file of the second; it holds for no other"),
    must("ra", Float, "middle of the overlap, degrees"),
    must("dec", Float, "middle of the overlap, degrees"),
    must("overlap_arcmin2", Float, "area of the overlap, square arcmin"),
    must("pixel", Float, "size of the larger of their pixels, arcsec"),
    must("n_sources", Integer, "common sources that were found; below n_needed, nothing was measured"),
    must("n_needed", Integer, "common sources that are more than chance gives"),
    may("dx", Float, "how far the second lies to the east of the first by their files, arcsec; empty: not measured"),
    may("dy", Float, "how far the second lies to the north of the first by their files, arcsec; empty: not measured"),
    may("error", Float, "error of dx and of dy, 1 sigma, arcsec; empty: not measured"),
    may("left_dx", Float, "what is left of dx as layers use both exposures, arcsec; empty: not measured"),
    may("left_dy", Float, "what is left of dy as layers use both exposures, arcsec; empty: not measured"),
    may("left_pixels", Float, "length of both in pixels; empty: not measured"),
    sqlite_with_rowid=False,
    comment="measured shifts of overlapping exposures of one camera and filter",
)
APART_PIXELS = 0.4
"""Pixels from which exposures do not agree. Half a pixel is to be seen with 99% certainty, and shifts are known to some
hundredths of a pixel; a test compares it with that of mvmdb.layers."""
APART = shift_pair.c.left_pixels >= literal_column(str(APART_PIXELS))
"""Which pairs lie apart, in the words of the index that holds them alone."""
Index("ix_shift_pair_left_pixels", shift_pair.c.left_pixels, sqlite_where=APART, postgresql_where=APART)

placement = Table(
    "placement",
    metadata,
    Column("ipppssoo", String(8), primary_key=True, comment="exposure"),
    must("pixels", String(40), "pixels of its file when it was looked at; it holds for no other"),
    must("wcs_digest", String(40), "wcs_digest of its file; it holds for no other"),
    must(
        "base_wcs", String(40), "wcs_digest, or another if layers were told to use an alternate; it holds for no other"
    ),
    must("ra", Float, "centre of the exposure, where dx and dy are measured, degrees"),
    must("dec", Float, "centre of the exposure, where dx and dy are measured, degrees"),
    must("dx", Float, "how far it lies to the east of where its group has it, arcsec"),
    must("dy", Float, "how far it lies to the north of where its group has it, arcsec"),
    must("error", Float, "error of dx and of dy by its own pairs, 1 sigma, arcsec"),
    must("pixel", Float, "size of its largest pixels, arcsec; 0 where no pair was measured"),
    must("n_pairs", Integer, "exposures with which its shift is measured; 0: nothing is known of its place"),
    must("n_sources", Integer, "common sources of all these pairs"),
    must("shift_group", String(8), "lowest identity of the exposures that measured shifts connect it with", index=True),
    must("n_group", Integer, "number of exposures in that group"),
    must(
        "tied_to", Text, "frame that the group is tied to: gaia, gsc242, ...; majority: what most of its exposures say"
    ),
    must("move_dx", Float, "what frames = align adds to its positions to the east, arcsec; dx when it last changed"),
    must("move_dy", Float, "what frames = align adds to its positions to the north, arcsec"),
    must("made_at", DateTime, "when it was computed (UTC)"),
    comment="where each exposure lies among those that it overlaps, solved from the shifts of all pairs",
)
"""Not tied to rows of `exposure`, as `alternate`: what layers were made with outlives a lost catalog."""
