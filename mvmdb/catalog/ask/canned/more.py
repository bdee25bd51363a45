"""What operators and scientists ask beside the twelve questions: a position, a layer, a night, the state of things."""

from __future__ import annotations

from mvmdb.catalog.ask.canned.values import CannedQuery

_NEAR = (("ra", 54.81), ("dec", -30.0), ("radius", 0.05))
_LAYER = "hst_skycell-p0647x10y11_wfc3_ir_f125w_all"

MORE = (
    CannedQuery(
        "coverage_near",
        "What covers a position: layers with exposures whose centres are within a radius (degrees)",
        """SELECT l.name AS layer, l.instrument, l.detector, l.filter, count(*) AS exposures,
       round(sum(e.exptime)) AS seconds, min(e.expstart) AS first_mjd, max(e.expend) AS last_mjd
FROM exposure e JOIN layer_member m ON m.exposure_id = e.id JOIN layer l ON l.id = m.layer_id
WHERE e.dec BETWEEN :dec - :radius AND :dec + :radius AND in_cone(e.ra, e.dec, :ra, :dec, :radius)
  AND l.scale = 'fine'
GROUP BY l.name, l.instrument, l.detector, l.filter ORDER BY seconds DESC, layer""",
        _NEAR,
        "Only the exposures near the position are counted, not all members of the layers. A chip reaches 0.03 degrees "
        "from the centre of a camera.",
    ),
    CannedQuery(
        "skycells_near",
        "Which sky cells with exposures have their centre within a radius (degrees) of a position?",
        """SELECT c.name AS skycell, round(3600 * sky_separation(c.ra, c.dec, :ra, :dec)) AS arcsec,
       (SELECT count(*) FROM membership m WHERE m.skycell_id = c.id) AS exposures,
       (SELECT count(*) FROM layer l WHERE l.skycell_id = c.id) AS layers
FROM skycell c
WHERE c.dec BETWEEN :dec - :radius AND :dec + :radius AND in_cone(c.ra, c.dec, :ra, :dec, :radius)
ORDER BY arcsec, skycell""",
        (("ra", 54.81), ("dec", -30.0), ("radius", 0.3)),
        "A sky cell is 0.24 degrees wide.",
    ),
    CannedQuery(
        "layers_of_program",
        "Which layers hold exposures of a program?",
        """SELECT l.name AS layer, count(*) AS exposures_of_it, l.n_exposures, l.stale
FROM exposure e JOIN layer_member m ON m.exposure_id = e.id JOIN layer l ON l.id = m.layer_id
WHERE e.proposal_id = :program
GROUP BY l.name, l.n_exposures, l.stale ORDER BY l.name""",
        (("program", 90001),),
    ),
    CannedQuery(
        "layers_of_exposure",
        "Which layers and mosaics hold an exposure?",
        """SELECT l.name AS layer, l.stale, p.filename, p.state, p.made_at
FROM exposure e JOIN layer_member m ON m.exposure_id = e.id JOIN layer l ON l.id = m.layer_id
LEFT JOIN product p ON p.layer = l.name
WHERE e.ipppssoo = substr(:exposure, 1, 8) ORDER BY l.name""",
        (("exposure", "idmo02c1"),),
    ),
    CannedQuery(
        "members_of_layer",
        "Which exposures should a layer have, and which does its mosaic hold?",
        """SELECT e.ipppssoo, e.proposal_id, e.exptime, e.expstart, e.wcsname, h.sky,
       CASE WHEN h.ipppssoo IS NULL THEN 'not yet' ELSE 'held' END AS in_mosaic
FROM layer l JOIN layer_member m ON m.layer_id = l.id JOIN exposure e ON e.id = m.exposure_id
LEFT JOIN product p ON p.layer = l.name
LEFT JOIN product_member h ON h.product_id = p.id AND h.ipppssoo = e.ipppssoo
WHERE l.name = :layer ORDER BY e.expstart, e.ipppssoo""",
        (("layer", _LAYER),),
        "`sky` was subtracted from the exposure, in electrons/s/arcsec^2.",
    ),
    CannedQuery(
        "history_of_layer",
        "What happened to a layer, the newest first?",
        """SELECT at_utc, kind, detail, reasons, n_members, seconds, run, command, username, host
FROM history WHERE layer = :layer ORDER BY id DESC""",
        (("layer", _LAYER),),
    ),
    CannedQuery(
        "last_night",
        "What happened in the last night that has ended?",
        """SELECT h.at_utc, h.kind, h.layer, h.exposure, h.path, h.detail, h.seconds
FROM history h
WHERE h.run = (SELECT max(id) FROM run WHERE command = 'nightly' AND ended_at IS NOT NULL)
ORDER BY h.id""",
    ),
    CannedQuery(
        "runs",
        "Which were the last 50 runs, and how did they end?",
        """SELECT r.id, r.command, r.started_at, r.ended_at, r.exit_code, r.username, r.host, r.error,
       (SELECT count(*) FROM event e WHERE e.run_id = r.id) AS events
FROM run r ORDER BY r.id DESC LIMIT 50""",
    ),
    CannedQuery(
        "astrometric_mix",
        "Which layers mix exposures of several astrometric solutions?",
        """SELECT l.name AS layer, count(*) AS exposures,
       count(DISTINCT coalesce(e.astrometric_catalog, 'none')) AS catalogs,
       sum(CASE WHEN e.astrometric_catalog IS NULL THEN 1 ELSE 0 END) AS without_catalog
FROM layer l JOIN layer_member m ON m.layer_id = l.id JOIN exposure e ON e.id = m.exposure_id
WHERE l.scale = 'fine'
GROUP BY l.name HAVING count(DISTINCT coalesce(e.astrometric_catalog, 'none')) > 1
ORDER BY catalogs DESC, exposures DESC, layer""",
    ),
    CannedQuery(
        "seams",
        "Between which overlapping exposures do the skies of mosaics leave the largest steps?",
        """SELECT layer, first_exposure, second_exposure, residual, sigma, overlap_arcmin2, mean_exposures,
       looks_like_gradient
FROM seam
ORDER BY sigma IS NULL, sigma DESC, abs(residual) DESC, layer, first_exposure, second_exposure LIMIT 50""",
        note="sigma is known for mosaics of the method mvmdb. A gradient that both exposures share leaves none here.",
    ),
    CannedQuery(
        "unlike_photflam",
        "Which layers have members of different PHOTFLAM, and by how much?",
        """SELECT p.layer, p.n_exposures, p.n_without, p.difference_percent, p.photscale_min, p.photscale_max
FROM photometry p JOIN layer l ON l.name = p.layer
WHERE l.scale = 'fine' AND p.difference_percent >= :percent
ORDER BY p.difference_percent DESC, p.layer""",
        (("percent", 0.1),),
        "Where both `photscale` are 1, the mosaic's members were not scaled to each other: its fluxes are off by up to "
        "the difference.",
    ),
    CannedQuery(
        "failures",
        "Which layers could not be made, and when are they tried again?",
        """SELECT f.layer, f.attempts, f.since, f.retry_at, l.failure
FROM layer_failure f LEFT JOIN layer l ON l.name = f.layer ORDER BY f.attempts DESC, f.layer""",
    ),
    CannedQuery(
        "quarantined",
        "Which files could not be catalogued, and why?",
        "SELECT kind, path, reason, first_seen FROM quarantine WHERE NOT accepted ORDER BY kind, path",
    ),
    CannedQuery(
        "filters",
        "How many layers, exposures and seconds does each camera have in each filter?",
        """SELECT instrument, detector, filter, count(*) AS layers, sum(n_exposures) AS members,
       round(sum(exptime)) AS seconds, round(sum(area_arcmin2)) AS arcmin2,
       sum(CASE WHEN stale THEN 1 ELSE 0 END) AS stale
FROM layer WHERE scale = 'fine'
GROUP BY instrument, detector, filter ORDER BY instrument, detector, filter""",
        note="An exposure, its time and its area count once for each sky cell that it overlaps.",
    ),
)
"""In the order in which they are listed."""
