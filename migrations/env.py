"""Alembic's way in: the connection comes from server/migrate.py, which holds the lock round it."""

from alembic import context

import migrations.models  # noqa: F401
from domain.base import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    compare_type=True,
    transaction_per_migration=True,
)
with context.begin_transaction():
    context.run_migrations()
