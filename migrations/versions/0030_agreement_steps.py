"""Who proposed, accepted and ended versions of agreements; those that were ended count until their end."""

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """A table, and the constraint on overlaps with the versions that were ended in it."""
    op.create_table(
        "agreement_step",
        sa.Column("agreement_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("seq", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("party", sa.Uuid(), nullable=False),
        sa.Column("who", sa.Uuid(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("as_of", sa.DateTime(timezone=True), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.PrimaryKeyConstraint("agreement_id", "version", "seq", name=op.f("pk_agreement_step")),
    )
    op.drop_constraint("ex_agreement_version_overlap", "agreement_version")
    op.execute("""
        ALTER TABLE agreement_version ADD CONSTRAINT ex_agreement_version_overlap
        EXCLUDE USING gist (agreement_id WITH =, tstzrange(valid_from, valid_to) WITH &&)
        WHERE (status IN ('IN_FORCE', 'ENDED'))
    """)
