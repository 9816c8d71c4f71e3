"""All tables, imported so that Alembic and the tests see every one."""

import alliance.agreements.model  # noqa: F401
import domain.ledger.model
import domain.members.model  # noqa: F401
import domain.programs.model  # noqa: F401
import server.access.model  # noqa: F401
