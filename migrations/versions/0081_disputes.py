"""Disputes: what is claimed, what was said and done, files; objections that were raised wait for an answer."""

import sqlalchemy as sa
from alembic import op

revision = "0081"
down_revision = "0080"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Tables, and a row for each objection."""
    op.add_column("objection", sa.Column("released_in", sa.Uuid(), nullable=True))
    op.create_index(
        "ix_objection_released", "objection", ["released_in"], postgresql_where=sa.text("released_in IS NOT NULL")
    )
    _disputes()
    _steps()
    _attachments()
    op.execute(_OBJECTIONS)
    op.execute(_RAISED)


def _disputes() -> None:
    time = sa.DateTime(timezone=True)
    op.create_table(
        "dispute",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("door", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("round", sa.SmallInteger(), nullable=False),
        sa.Column("raiser_id", sa.Uuid(), nullable=False),
        sa.Column("against_id", sa.Uuid(), nullable=False),
        sa.Column("debtor_id", sa.Uuid(), nullable=False),
        sa.Column("cycle_id", sa.Uuid(), nullable=True),
        sa.Column("holder_id", sa.Uuid(), nullable=True),
        sa.Column("operation_id", sa.Uuid(), nullable=True),
        sa.Column("seq", sa.SmallInteger(), nullable=True),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("claimed", sa.BigInteger(), nullable=False),
        sa.Column("quantity", sa.BigInteger(), nullable=True),
        sa.Column("offered", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("accepted", sa.BigInteger(), nullable=True),
        sa.Column("secured", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("due_at", time, nullable=False),
        sa.Column("raised_at", time, nullable=False),
        sa.Column("decided_at", time, nullable=True),
        sa.Column("key", sa.Text(), nullable=True),
        sa.Column("break_id", sa.Uuid(), nullable=True),
        sa.Column("booked_at", time, server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.CheckConstraint("raiser_id <> against_id", name=op.f("ck_dispute_parties")),
        sa.CheckConstraint("(accepted IS NULL) = (decided_at IS NULL)", name=op.f("ck_dispute_decided")),
        sa.CheckConstraint("abs(coalesce(accepted, offered)) <= abs(claimed)", name=op.f("ck_dispute_amounts")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dispute")),
        postgresql_with={"fillfactor": "80"},
    )
    undecided = sa.text("decided_at IS NULL AND operation_id IS NOT NULL")
    op.create_index("uq_dispute_line", "dispute", ["operation_id", "seq"], unique=True, postgresql_where=undecided)
    keyed = sa.text("key IS NOT NULL")
    op.create_index("uq_dispute_key", "dispute", ["raiser_id", "key"], unique=True, postgresql_where=keyed)
    op.create_index("ix_dispute_due", "dispute", ["due_at", "id"], postgresql_where=sa.text("decided_at IS NULL"))
    op.create_index("ix_dispute_raiser", "dispute", ["raiser_id", "id"])
    op.create_index("ix_dispute_against", "dispute", ["against_id", "id"])
    on_line = sa.text("operation_id IS NOT NULL")
    op.create_index("ix_dispute_line", "dispute", ["operation_id", "seq"], postgresql_where=on_line)


def _steps() -> None:
    time = sa.DateTime(timezone=True)
    op.create_table(
        "dispute_step",
        sa.Column("dispute_id", sa.Uuid(), nullable=False),
        sa.Column("seq", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("party_id", sa.Uuid(), nullable=False),
        sa.Column("who", sa.Uuid(), nullable=False),
        sa.Column("move", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=True),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("as_of", time, nullable=False),
        sa.Column("at", time, server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.ForeignKeyConstraint(["dispute_id"], ["dispute.id"], name=op.f("fk_dispute_step_dispute_id")),
        sa.PrimaryKeyConstraint("dispute_id", "seq", name=op.f("pk_dispute_step")),
    )


def _attachments() -> None:
    time = sa.DateTime(timezone=True)
    op.create_table(
        "attachment",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("party_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("media_type", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.LargeBinary(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("who", sa.Uuid(), nullable=False),
        sa.Column("at", time, server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attachment")),
    )
    op.create_index("ix_attachment_party", "attachment", ["party_id", "id"])
    op.create_table(
        "step_attachment",
        sa.Column("dispute_id", sa.Uuid(), nullable=False),
        sa.Column("seq", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("attachment_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(["dispute_id"], ["dispute.id"], name=op.f("fk_step_attachment_dispute_id")),
        sa.ForeignKeyConstraint(["attachment_id"], ["attachment.id"], name=op.f("fk_step_attachment_attachment_id")),
        sa.PrimaryKeyConstraint("dispute_id", "seq", "attachment_id", name=op.f("pk_step_attachment")),
    )
    op.create_index("ix_step_attachment_file", "step_attachment", ["attachment_id"])


# Nobody could answer until now: from now on they have the two weeks.
_OBJECTIONS = """
INSERT INTO dispute (id, door, status, round, raiser_id, against_id, debtor_id, cycle_id, holder_id, operation_id, seq,
                     code, claimed, due_at, raised_at)
SELECT o.id, 'OBJECTION', 'RAISED', 1, o.merchant_id,
       CASE WHEN o.merchant_id = l.debtor_id THEN l.creditor_id ELSE l.debtor_id END, l.debtor_id, o.cycle_id,
       o.holder_id, o.operation_id, o.seq, o.reason,
       CASE WHEN o.merchant_id = l.debtor_id THEN 1 ELSE -1 END
           * (l.amount - CASE o.reason WHEN 'WRONG_AMOUNT' THEN o.expected
                                       WHEN 'WRONG_PRICE' THEN round(l.points::numeric * o.expected / 100)
                                       ELSE 0 END),
       now() + interval '14 days', o.raised_at
FROM objection o JOIN obligation l USING (holder_id, operation_id, seq)
"""
_RAISED = """
INSERT INTO dispute_step (dispute_id, seq, side, party_id, who, move, status, amount, text, as_of)
SELECT d.id, 1, 'RAISER', o.merchant_id, o.who, 'RAISE', 'RAISED', d.claimed, '', o.raised_at
FROM dispute d JOIN objection o ON o.id = d.id
"""
