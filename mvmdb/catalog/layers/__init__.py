"""The rows of layers: which of them a change affects, and their update to what mvmdb/layers/ decides."""
