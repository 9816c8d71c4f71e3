"""Merchants in default: what was missing, what covered it, what came back."""

import sqlalchemy as sa
from alembic import op

revision = "0085"
down_revision = "0084"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)
_NOW = sa.text("clock_timestamp()")


def _amounts(names: str, **named: object) -> list[sa.Column[int]]:
    return [sa.Column(name, sa.BigInteger(), nullable=False, **named) for name in names.split()]  # type: ignore[arg-type]


def _act() -> list[sa.Column[object]]:
    return [
        sa.Column("who", sa.Uuid(), nullable=False),
        sa.Column("approved_by", sa.Uuid(), nullable=True),
        sa.Column("why", sa.Text(), nullable=False),
    ]


def upgrade() -> None:
    """Three tables, and what a merchant and its accounts are while it is in default."""
    op.create_table(
        "merchant_default",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("cycle_id", sa.Uuid(), nullable=False),
        *_amounts("debts claims received missing collateral own_fund fund loss"),
        sa.Column("netted_again", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        *_act(),
        sa.Column("declared_at", _TIME, nullable=False),
        sa.Column("honoured_until", _TIME, nullable=False),
        sa.Column("ended_at", _TIME, nullable=True),
        sa.Column("booked_at", _TIME, server_default=_NOW, nullable=False),
        sa.CheckConstraint("missing = debts - claims - received", name=op.f("ck_merchant_default_missing")),
        sa.CheckConstraint("missing = collateral + own_fund + fund + loss", name=op.f("ck_merchant_default_waterfall")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_merchant_default")),
    )
    op.create_index("uq_merchant_default", "merchant_default", ["merchant_id", "cycle_id"], unique=True)
    op.create_table(
        "default_share",
        sa.Column("default_id", sa.Uuid(), nullable=False),
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        *_amounts("claim fund loss repaid honoured", server_default=sa.text("0")),
        sa.CheckConstraint("loss BETWEEN 0 AND claim", name=op.f("ck_default_share_loss")),
        sa.CheckConstraint("repaid BETWEEN 0 AND loss", name=op.f("ck_default_share_repaid")),
        sa.CheckConstraint("honoured >= 0", name=op.f("ck_default_share_honoured")),
        sa.PrimaryKeyConstraint("default_id", "merchant_id", name=op.f("pk_default_share")),
    )
    op.create_table(
        "default_recovery",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("default_id", sa.Uuid(), nullable=False),
        *_amounts("amount losses reserve fund collateral kept"),
        *_act(),
        sa.Column("as_of", _TIME, nullable=False),
        sa.Column("booked_at", _TIME, server_default=_NOW, nullable=False),
        sa.CheckConstraint(
            "amount = losses + reserve + fund + collateral + kept", name=op.f("ck_default_recovery_shared_out")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_default_recovery")),
    )
    op.create_index("ix_default_recovery_default", "default_recovery", ["default_id"])
    op.add_column("merchant", sa.Column("defaulted_since", _TIME, nullable=True))
    op.add_column("merchant", sa.Column("unhonoured_since", _TIME, nullable=True))
    op.add_column("pair_net", sa.Column("left_out", sa.Boolean(), server_default=sa.text("false"), nullable=False))
