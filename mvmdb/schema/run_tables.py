"""The tables of runs: which there were, what happened in them, and which are working now on which layers."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, DateTime, Float, ForeignKey, Index, Integer, String, Table, Text

from mvmdb.schema.columns import may, metadata, must, reference

run = Table(
    "run",
    metadata,
    Column("id", Integer, primary_key=True, comment="key, in the order of their starts"),
    must("command", String(20), "nightly, reconcile, ingest, ..."),
    must("arguments", Text, "its command line, without passwords, cut at 2000 characters"),
    must("username", Text, "who ran it"),
    must("host", Text, "machine that it ran on"),
    must("pid", Integer, "number of its process there"),
    must("version", String(40), "version of mvmdb"),
    must("started_at", DateTime, "UTC", index=True),
    may("ended_at", DateTime, "UTC; empty while it runs, and for ever if it was killed"),
    may("exit_code", Integer, "exit code of the command; empty as ended_at"),
    may("error", Text, "why it could not do its work"),
    may("report", Text, "report of a night, JSON"),
    comment="runs of commands that may change the catalog",
)

event = Table(
    "event",
    metadata,
    Column("id", Integer, primary_key=True, comment="key, in the order of events"),
    Column(
        "run_id",
        ForeignKey("run.id", ondelete="CASCADE"),
        nullable=True,
        index=True,
        comment="run that it happened in; empty where a program of the user's called mvmdb",
    ),
    must("at", DateTime, "UTC"),
    must("kind", String(20), "what happened: exposure-new, layer-drizzled, ..."),
    may("exposure", String(8), "ipppssoo of the exposure that it concerns"),
    may("layer", String(120), "name of the layer that it concerns"),
    may("path", Text, "file that it concerns"),
    may("detail", Text, "what was found, in words"),
    may("reasons", Text, "reasons of a layer's action, JSON: [code, exposure, detail] each"),
    may("n_members", Integer, "number of members of the product"),
    may("seconds", Float, "duration"),
    may("size", BigInteger, "bytes of the product"),
    may("memory_mb", Integer, "peak memory of the worker that made it, MB"),
    comment="what happened to exposures, files and layers, and when; rows are only added, and pruned by age if asked",
)
Index("ix_event_at", event.c.at)
Index(
    "ix_event_exposure",
    event.c.exposure,
    event.c.id,
    sqlite_where=event.c.exposure.is_not(None),
    postgresql_where=event.c.exposure.is_not(None),
)
Index(
    "ix_event_layer",
    event.c.layer,
    event.c.id,
    sqlite_where=event.c.layer.is_not(None),
    postgresql_where=event.c.layer.is_not(None),
)

coordinator = Table(
    "coordinator",
    metadata,
    Column("owner", String(36), primary_key=True, comment="random identity (UUID)"),
    Column(
        "run_id",
        ForeignKey("run.id", ondelete="SET NULL"),
        nullable=True,
        index=True,
        comment="its run; empty where a program of the user's called mvmdb",
    ),
    must("host", Text, "machine that it runs on"),
    must("pid", Integer, "number of its process there"),
    must("process", Text, "what tells its process from a later one with this number there; empty if unknown"),
    must("started_at", DateTime, "UTC"),
    must("renewed_at", DateTime, "last sign of life (UTC)"),
    must("expires_at", DateTime, "from when on others take over what it has claimed (UTC)"),
    must("skycells", Text, "keys of the sky cells that it is going to work in, JSON"),
    comment="runs that are making layers now, each with its lease",
)

claim = Table(
    "claim",
    metadata,
    Column("layer", String(120), primary_key=True, comment="name of the layer that is being made or removed"),
    reference("owner", "coordinator.owner", "who does it", index=True),
    must("claimed_at", DateTime, "UTC"),
    comment="layers that are being made or removed now, each by one run alone",
)
