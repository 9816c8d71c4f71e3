"""All tables, imported so that Alembic and the tests see every one."""

import domain.ledger.model  # noqa: F401
