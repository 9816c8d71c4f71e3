"""Lines are found by the order's reference: a Bloom filter for every 128 pages costs a posting hardly anything."""

from alembic import op

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """A block range index; the reading of the whole table is done once, here."""
    op.create_index(
        "ix_obligation_order",
        "obligation",
        ["order_ref"],
        postgresql_using="brin",
        postgresql_ops={"order_ref": "text_bloom_ops"},
        postgresql_with={"autosummarize": "on"},
    )
