"""The exposures' rows: ingest, import, memberships, withdrawal."""
