"""The history: runs of commands, what happened in them, and layers that fail again and again.

Revision 0005, after 0004. What happened before is not known; the products' last actions stay where they are.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "run",
        sa.Column("id", sa.Integer(), nullable=False, comment="key, in the order of their starts"),
        sa.Column("command", sa.String(20), nullable=False, comment="nightly, reconcile, ingest, ..."),
        sa.Column(
            "arguments",
            sa.Text(),
            nullable=False,
            comment="its command line, without passwords, cut at 2000 characters",
        ),
        sa.Column("username", sa.Text(), nullable=False, comment="who ran it"),
        sa.Column("host", sa.Text(), nullable=False, comment="machine that it ran on"),
        sa.Column("pid", sa.Integer(), nullable=False, comment="number of its process there"),
        sa.Column("version", sa.String(40), nullable=False, comment="version of mvmdb"),
        sa.Column("started_at", sa.DateTime(), nullable=False, comment="UTC"),
        sa.Column(
            "ended_at", sa.DateTime(), nullable=True, comment="UTC; empty while it runs, and for ever if it was killed"
        ),
        sa.Column("exit_code", sa.Integer(), nullable=True, comment="exit code of the command; empty as ended_at"),
        sa.Column("error", sa.Text(), nullable=True, comment="why it could not do its work"),
        sa.Column("report", sa.Text(), nullable=True, comment="report of a night, JSON"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_run")),
        comment="runs of commands that may change the catalog",
    )
    op.create_index(op.f("ix_run_started_at"), "run", ["started_at"])
    op.create_table(
        "event",
        sa.Column("id", sa.Integer(), nullable=False, comment="key, in the order of events"),
        sa.Column(
            "run_id",
            sa.Integer(),
            nullable=True,
            comment="run that it happened in; empty where a program of the user's called mvmdb",
        ),
        sa.Column("at", sa.DateTime(), nullable=False, comment="UTC"),
        sa.Column("kind", sa.String(20), nullable=False, comment="what happened: exposure-new, layer-drizzled, ..."),
        sa.Column("exposure", sa.String(8), nullable=True, comment="ipppssoo of the exposure that it concerns"),
        sa.Column("layer", sa.String(120), nullable=True, comment="name of the layer that it concerns"),
        sa.Column("path", sa.Text(), nullable=True, comment="file that it concerns"),
        sa.Column("detail", sa.Text(), nullable=True, comment="what was found, in words"),
        sa.Column(
            "reasons",
            sa.Text(),
            nullable=True,
            comment="reasons of a layer's action, JSON: [code, exposure, detail] each",
        ),
        sa.Column("n_members", sa.Integer(), nullable=True, comment="number of members of the product"),
        sa.Column("seconds", sa.Float(), nullable=True, comment="duration"),
        sa.Column("size", sa.BigInteger(), nullable=True, comment="bytes of the product"),
        sa.Column("memory_mb", sa.Integer(), nullable=True, comment="peak memory of the worker that made it, MB"),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name=op.f("fk_event_run_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_event")),
        comment="what happened to exposures, files and layers, and when; rows are only added, and pruned by age if asked",
    )
    op.create_index(op.f("ix_event_run_id"), "event", ["run_id"])
    op.create_index("ix_event_at", "event", ["at"])
    for name in ("exposure", "layer"):
        condition = sa.text(f"{name} IS NOT NULL")
        op.create_index(f"ix_event_{name}", "event", [name, "id"], sqlite_where=condition, postgresql_where=condition)
    op.create_table(
        "layer_failure",
        sa.Column("layer", sa.String(120), nullable=False, comment="name of a layer that could not be made"),
        sa.Column("recipe_digest", sa.String(40), nullable=False, comment="recipe_digest that it was to have"),
        sa.Column("attempts", sa.Integer(), nullable=False, comment="number of failures in a row"),
        sa.Column("since", sa.DateTime(), nullable=False, comment="first of these failures (UTC)"),
        sa.Column(
            "retry_at",
            sa.DateTime(),
            nullable=True,
            comment="when nightly tries it again (UTC); empty: not until its recipe_digest changes",
        ),
        sa.PrimaryKeyConstraint("layer", name=op.f("pk_layer_failure")),
        comment="layers that fail, and when they are tried again",
    )
    if op.get_context().dialect.name == "postgresql":
        op.create_table_comment("exposure", "one row per exposure: the values of its active dataset")
        op.alter_column("exposure", "s_region", comment="footprint: one POLYGON ICRS per chip, counter-clockwise, open")


def downgrade() -> None:
    op.drop_table("layer_failure")
    op.drop_table("event")
    op.drop_table("run")
