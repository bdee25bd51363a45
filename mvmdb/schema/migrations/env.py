"""Alembic's entry: migrations run on the connection, and in the transaction, of the caller."""

from alembic import context

from mvmdb.schema.tables import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, render_as_batch=connection.dialect.name == "sqlite")
context.run_migrations()
