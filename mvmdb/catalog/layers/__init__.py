"""The layers' rows: which a change concerns, and keeping them as layers/ decides."""
