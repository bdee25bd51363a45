"""The twelve questions of docs/catalog.md, whose answers the tests work out by hand."""

from __future__ import annotations

from mvmdb.catalog.ask.canned.values import CannedQuery

TWELVE = (
    CannedQuery(
        "deep_in_two_filters",
        "Which sky cells have more than 1,000 s in both F125W and F814W, summed over all cameras?",
        """SELECT skycell,
       round(sum(CASE WHEN filter = 'F125W' THEN exptime ELSE 0 END)) AS f125w,
       round(sum(CASE WHEN filter = 'F814W' THEN exptime ELSE 0 END)) AS f814w
FROM coverage WHERE scale = 'fine' AND filter IN ('F125W', 'F814W')
GROUP BY skycell
HAVING sum(CASE WHEN filter = 'F125W' THEN exptime ELSE 0 END) > 1000
   AND sum(CASE WHEN filter = 'F814W' THEN exptime ELSE 0 END) > 1000
ORDER BY skycell""",
    ),
    CannedQuery(
        "gained_in_2024",
        "Which layers gained data in 2024 (MJD 60310 to 60676), and how much?",
        """SELECT l.name AS layer, count(*) AS exposures, round(sum(e.exptime)) AS seconds
FROM layer l JOIN layer_member m ON m.layer_id = l.id JOIN exposure e ON e.id = m.exposure_id
WHERE l.scale = 'fine' AND e.expstart >= 60310 AND e.expstart < 60676
GROUP BY l.name ORDER BY l.name""",
    ),
    CannedQuery(
        "exposures_near",
        "Which exposures in F160W lie near a position, within a radius in degrees, nearest first?",
        """SELECT ipppssoo, proposal_id, round(3600 * sky_separation(ra, dec, :ra, :dec)) AS arcsec
FROM exposure
WHERE dec BETWEEN :dec - :radius AND :dec + :radius AND in_cone(ra, dec, :ra, :dec, :radius) AND filter = 'F160W'
ORDER BY arcsec, ipppssoo""",
        (("ra", 54.81), ("dec", -30.0), ("radius", 0.05)),
    ),
    CannedQuery(
        "programs_that_share",
        "Which programs share a sky cell?",
        """WITH seen AS (SELECT DISTINCT m.skycell_id, e.proposal_id
              FROM membership m JOIN exposure e ON e.id = m.exposure_id)
SELECT c.name AS skycell, a.proposal_id AS program, b.proposal_id AS other
FROM seen a JOIN seen b ON b.skycell_id = a.skycell_id AND b.proposal_id > a.proposal_id
JOIN skycell c ON c.id = a.skycell_id
ORDER BY c.name, a.proposal_id, b.proposal_id""",
    ),
    CannedQuery(
        "longest_layers",
        "Which three layers have the longest exposure time?",
        """SELECT layer, n_exposures, round(exptime) AS seconds
FROM coverage WHERE scale = 'fine' ORDER BY exptime DESC, layer LIMIT 3""",
    ),
    CannedQuery(
        "aligned_to",
        "How many layers hold exposures aligned to each astrometric catalog, or to none?",
        """SELECT coalesce(e.astrometric_catalog, 'none') AS aligned_to,
       count(DISTINCT m.layer_id) AS layers, count(DISTINCT e.id) AS exposures
FROM exposure e JOIN layer_member m ON m.exposure_id = e.id
GROUP BY coalesce(e.astrometric_catalog, 'none') ORDER BY aligned_to""",
    ),
    CannedQuery(
        "ineligible",
        "How many exposures are ineligible, by failed rules?",
        """SELECT ineligible_rule, count(*) AS exposures FROM exposure
WHERE NOT eligible GROUP BY ineligible_rule ORDER BY exposures DESC, ineligible_rule""",
    ),
    CannedQuery(
        "in_no_layer",
        "Which exposures are in no layer? (A layer with an FLC excludes even eligible FLTs.)",
        """SELECT e.ipppssoo, e.kind, e.detector, e.filter, e.ineligible_rule, e.withdrawn_why
FROM exposure e
WHERE NOT EXISTS (SELECT 1 FROM layer_member m WHERE m.exposure_id = e.id) ORDER BY e.ipppssoo""",
    ),
    CannedQuery(
        "exposure_times",
        "What is the total exposure time, by filter, of exposures that can be in layers?",
        """SELECT instrument, detector, filter, count(*) AS exposures, round(sum(exptime)) AS seconds
FROM exposure WHERE eligible AND withdrawn_at IS NULL
GROUP BY instrument, detector, filter ORDER BY instrument, detector, filter""",
    ),
    CannedQuery(
        "stale_and_why",
        "What is stale, and why?",
        """SELECT layer, reason, count(exposure) AS exposures
FROM stale_reason GROUP BY layer, reason ORDER BY layer, reason""",
    ),
    CannedQuery(
        "without_file",
        "Which exposures without a file keep their layers from being made?",
        """SELECT e.ipppssoo, e.proposal_id FROM exposure e
WHERE NOT EXISTS (SELECT 1 FROM dataset d WHERE d.exposure_id = e.id) ORDER BY e.ipppssoo""",
    ),
    CannedQuery(
        "older_mosaics",
        "How many mosaics of each sky cell are older than its newest exposure?",
        """SELECT p.skycell, count(*) AS mosaics
FROM product p JOIN skycell c ON c.name = p.skycell
WHERE p.made_at < (SELECT max(e.registered_at) FROM membership m JOIN exposure e ON e.id = m.exposure_id
                   WHERE m.skycell_id = c.id AND e.eligible)
GROUP BY p.skycell ORDER BY p.skycell""",
    ),
)
"""In the order of the page."""
