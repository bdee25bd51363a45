"""The rows of exposures: ingest, import, memberships, quarantine, withdrawal."""
