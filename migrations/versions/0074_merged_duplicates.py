"""Pairs of members may have been merged."""

from alembic import op

revision = "0074"
down_revision = "0073"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """One word more."""
    name = op.f("ck_duplicate_candidate_status")
    op.execute(f"ALTER TABLE duplicate_candidate DROP CONSTRAINT {name}")
    op.execute(
        f"ALTER TABLE duplicate_candidate ADD CONSTRAINT {name}"
        " CHECK (status IN ('PROPOSED', 'LATER', 'NOT_SAME', 'MERGED')) NOT VALID"
    )
    op.execute(f"ALTER TABLE duplicate_candidate VALIDATE CONSTRAINT {name}")
