"""Operations that put right what was changed behind the ledger's back."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """On behalf of which operation each was booked."""
    op.create_table(
        "repair",
        sa.Column("holder_id", sa.Uuid(), nullable=False),
        sa.Column("operation_id", sa.Uuid(), nullable=False),
        sa.Column("target_id", sa.Uuid(), nullable=False),
        sa.Column("accepted", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("holder_id", "operation_id", name=op.f("pk_repair")),
    )
    op.create_index("ix_repair_target", "repair", ["target_id"])
