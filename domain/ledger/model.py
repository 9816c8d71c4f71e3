"""The ledger's tables. Rows are appended, never edited; `account` and `lot.remaining` are sums kept beside them.

Every table on the hot path begins its key with `holder_id`: the member, pool or merchant that owns the row.
"""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, Computed, Index, LargeBinary, SmallInteger, func, text
from sqlalchemy.orm import Mapped, mapped_column

from domain.base import Base
from domain.ledger.kinds import AccountKind as AccountKind
from domain.ledger.kinds import HoldStatus as HoldStatus
from domain.ledger.kinds import OperationKind as OperationKind


class Operation(Base):
    """One business event. Its status is derived from the operations that reverse it.

    `xid` is the transaction that wrote it: the log takes operations up to transactions older than every running one.
    """

    __tablename__ = "operation"
    __table_args__ = (
        Index("ix_operation_reverses", "holder_id", "reverses", postgresql_where=text("reverses IS NOT NULL")),
        Index("ix_operation_xid", "xid"),
    )

    holder_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    kind: Mapped[str]
    merchant_id: Mapped[uuid.UUID]
    client_id: Mapped[uuid.UUID | None]
    store: Mapped[str | None]
    channel: Mapped[str | None]
    order_ref: Mapped[str | None]
    occurred_at: Mapped[datetime]
    as_of: Mapped[datetime]
    booked_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    reverses: Mapped[uuid.UUID | None]
    decisions: Mapped[list[Any] | None]
    """The rules that contributed: rule, version, points."""
    lines: Mapped[list[Any] | None]
    """What was bought, one object a line, amounts as decimal strings; then `{"paid"}` where not all was money."""
    xid: Mapped[int] = mapped_column(server_default=text("(pg_current_xact_id()::text::bigint)"))


class Entry(Base):
    """A signed change of one account, with its counterpart, which moves by the opposite amount.

    Against an account without a floor this one row is both sides. Between two members' accounts there is one under
    each, with the same operation, which lies under one of them: the counterpart says where. `balance_after` is the
    account's posted sum.
    """

    __tablename__ = "entry"
    __table_args__ = (
        CheckConstraint("amount <> 0", name="amount"),
        Index("ix_entry_between", "holder_id", "operation_id", postgresql_where=text("counter_account = 'POINTS'")),
    )

    holder_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    operation_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    seq: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    account: Mapped[str]
    currency: Mapped[str]
    amount: Mapped[int]
    counter_holder_id: Mapped[uuid.UUID]
    counter_account: Mapped[str]
    balance_after: Mapped[int]


class Account(Base):
    """The posted sum of a limited account's entries, what open holds have set aside of it, and what is owed to it.

    Nothing is posted to a holder any of whose accounts is `stopped`; a `HolderStop` says why.
    """

    __tablename__ = "account"
    __table_args__ = (
        CheckConstraint("posted >= -debt OR kind IN ('STOCK', 'BUDGET')", name="posted"),
        CheckConstraint("held >= 0 AND held <= greatest(posted + debt, 0)", name="held"),
        CheckConstraint("debt >= 0", name="debt"),
        {"postgresql_with": {"fillfactor": "80"}},
    )

    holder_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    currency: Mapped[str] = mapped_column(primary_key=True)
    posted: Mapped[int]
    held: Mapped[int] = mapped_column(server_default=text("0"))
    debt: Mapped[int] = mapped_column(server_default=text("0"))
    stopped: Mapped[bool] = mapped_column(server_default=text("false"))


class Lot(Base):
    """A credit of points: who issued it, who paid for it at what price a point (in 10^-8), until when it lives.

    `source` is the lot that its points came from, where a gift, a reinstatement or a merge made it; `depth` is how many
    gifts its points have gone through. `root` is the lot that they were in before members were merged, of whom they
    then were. `held` is what open holds have set aside of `remaining`.

    `expires_at` is the first instant at which it is no longer valid; null is never. `spent` exists for the partial
    index: with `remaining > 0` as its predicate every partial spend would have to write the index again.
    A lot with a `sliding_id` ends when that sliding expiry says; `expires_at` is then the earliest that can be.
    `agreement_version` is by which something is still to move between funder and issuer when its points are spent or
    end (A1); null where nothing is.
    """

    __tablename__ = "lot"
    __table_args__ = (
        CheckConstraint("remaining >= 0 AND remaining <= granted", name="remaining"),
        CheckConstraint("held >= 0 AND held <= remaining", name="held"),
        Index("ix_lot_open", "holder_id", "currency", "expires_at", postgresql_where=text("NOT spent")),
        Index("ix_lot_root", "root_holder_id", "root_lot_id", postgresql_where=text("root_lot_id IS NOT NULL")),
        {"postgresql_with": {"fillfactor": "90"}},
    )

    holder_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    currency: Mapped[str]
    operation_id: Mapped[uuid.UUID]
    issuer_id: Mapped[uuid.UUID]
    funder_id: Mapped[uuid.UUID]
    price: Mapped[int] = mapped_column(server_default=text("0"))
    granted: Mapped[int]
    remaining: Mapped[int]
    granted_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    source_holder_id: Mapped[uuid.UUID | None]
    source_lot_id: Mapped[uuid.UUID | None]
    depth: Mapped[int] = mapped_column(SmallInteger, server_default=text("0"))
    held: Mapped[int] = mapped_column(server_default=text("0"))
    sliding_id: Mapped[uuid.UUID | None]
    agreement_version: Mapped[int | None]
    root_holder_id: Mapped[uuid.UUID | None]
    root_lot_id: Mapped[uuid.UUID | None]
    spent: Mapped[bool] = mapped_column(Computed("remaining = 0", persisted=True))


class SlidingExpiry(Base):
    """The date of all lots of a wallet that end by inactivity, after the same `span` of it (R4).

    Activity moves it while it has not passed; one that has passed never moves again, and new lots get another.
    """

    __tablename__ = "sliding_expiry"

    holder_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    currency: Mapped[str]
    span: Mapped[str]
    expires_at: Mapped[datetime]


class PendingGrant(Base):
    """Points of an earn that are not active yet: not spendable, in no balance, expiring not before they are active.

    `matures_at` null: an event decides. `policy` is the expiry policy that starts with activation, `owed` what the
    points make owed when they become active (A1), `agreement_version` what their lots then keep. `remaining` falls to
    zero by `activated_by`, or by a reversal. `room_of` is a merchant who had no room for what they make owed (A5): they
    wait until it has.
    """

    __tablename__ = "pending_grant"
    __table_args__ = (
        CheckConstraint("remaining >= 0 AND remaining <= granted", name="remaining"),
        Index("ix_pending_grant_due", "matures_at", "holder_id", postgresql_where=text("NOT done")),
        Index(
            "ix_pending_grant_room",
            "room_of",
            "granted_at",
            postgresql_where=text("NOT done AND room_of IS NOT NULL"),
        ),
    )

    holder_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    operation_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    seq: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    currency: Mapped[str]
    issuer_id: Mapped[uuid.UUID]
    funder_id: Mapped[uuid.UUID]
    price: Mapped[int]
    granted: Mapped[int]
    remaining: Mapped[int]
    granted_at: Mapped[datetime]
    matures_at: Mapped[datetime | None]
    policy: Mapped[dict[str, Any]]
    owed: Mapped[list[Any] | None]
    activated_by: Mapped[uuid.UUID | None]
    agreement_version: Mapped[int | None]
    room_of: Mapped[uuid.UUID | None]
    done: Mapped[bool] = mapped_column(Computed("remaining = 0", persisted=True))


class Allocation(Base):
    """What one operation took from a lot (negative) or put back into it (positive)."""

    __tablename__ = "allocation"
    __table_args__ = (CheckConstraint("amount <> 0", name="amount"),)

    holder_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    operation_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    lot_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    amount: Mapped[int]


class Hold(Base):
    """Points set aside for a merchant until they are captured, released, or `expires_at` has come (R14).

    Nothing is posted by holding. `agreement_version` is the version at a partner by whose price a capture is settled.
    `captured` points were spent by the operation `captured_by`, of kind REDEEM; the rest was released. `ended_as_of` is
    the edge's clock when it ended, `ended_at` the database's. `reserves` is what it may come to make merchants owe.
    """

    __tablename__ = "hold"
    __table_args__ = (
        CheckConstraint("points > 0", name="points"),
        CheckConstraint(
            "CASE WHEN status = 'CAPTURED' THEN captured > 0 AND captured <= points AND captured_by IS NOT NULL"
            " ELSE captured = 0 AND captured_by IS NULL END",
            name="captured",
        ),
        CheckConstraint("(status = 'OPEN') = (ended_at IS NULL AND ended_as_of IS NULL)", name="ended"),
        Index("ix_hold_open", "holder_id", "expires_at", postgresql_where=text("status = 'OPEN'")),
        {"postgresql_with": {"fillfactor": "80"}},
    )

    holder_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    merchant_id: Mapped[uuid.UUID]
    client_id: Mapped[uuid.UUID | None]
    store: Mapped[str | None]
    channel: Mapped[str | None]
    order_ref: Mapped[str | None]
    currency: Mapped[str]
    issuer_id: Mapped[uuid.UUID]
    agreement_version: Mapped[int | None]
    reserves: Mapped[dict[str, Any] | None]
    points: Mapped[int]
    held_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    booked_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    status: Mapped[str] = mapped_column(server_default=text("'OPEN'"))
    captured: Mapped[int] = mapped_column(server_default=text("0"))
    captured_by: Mapped[uuid.UUID | None]
    ended_as_of: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]


class HoldAllocation(Base):
    """What a hold has set aside of a lot, in the order of R1 at that moment: `seq` counts from 0."""

    __tablename__ = "hold_allocation"
    __table_args__ = (CheckConstraint("amount > 0", name="amount"),)

    holder_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    hold_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    seq: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    lot_id: Mapped[uuid.UUID]
    amount: Mapped[int]


class IdempotencyKey(Base):
    """What a call was answered: the operation and its points; `outcome` holds what else is said, or the refusal."""

    __tablename__ = "idempotency_key"
    __table_args__ = (Index("ix_idempotency_key_created", "created_at", postgresql_using="brin"),)

    client_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    subject: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    fingerprint: Mapped[bytes] = mapped_column(LargeBinary)
    holder_id: Mapped[uuid.UUID]
    operation_id: Mapped[uuid.UUID | None]
    points: Mapped[int | None]
    outcome: Mapped[dict[str, Any] | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class OrderReference(Base):
    """Which operation an order made, for merchants that declare (merchant, order, kind) unique."""

    __tablename__ = "order_reference"

    merchant_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    order_ref: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    holder_id: Mapped[uuid.UUID]
    operation_id: Mapped[uuid.UUID]


class OrderTender(Base):
    """A redemption that paid for an order: `order_id` is the earn of the order, `amount` in minor units of `money`."""

    __tablename__ = "order_tender"
    __table_args__ = (
        CheckConstraint("amount >= 0", name="amount"),
        Index("ix_order_tender_order", "holder_id", "order_id"),
    )

    holder_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    operation_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    order_id: Mapped[uuid.UUID]
    money: Mapped[str]
    amount: Mapped[int]


class OperationNote(Base):
    """Free text that belongs to an operation, kept apart because it may hold personal data."""

    __tablename__ = "operation_note"

    holder_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    operation_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    note: Mapped[str]


class Adjustment(Base):
    """What was moved by hand, under the merchant whose staff did it: its limits are counted here."""

    __tablename__ = "adjustment"
    __table_args__ = (Index("ix_adjustment_client", "holder_id", "client_id", "as_of"),)

    holder_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    operation_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    member_id: Mapped[uuid.UUID]
    client_id: Mapped[uuid.UUID | None]
    currency: Mapped[str]
    points: Mapped[int]
    as_of: Mapped[datetime]


class OperationReturn(Base):
    """What a reversal undid of an operation; one without such a row undid the whole.

    `returned` is what came back: `lines` as [place in the order, quantity in millionths], `amount` in minor units,
    `points`. `undone` are the points that the rules took back for it; of these `due` were asked of the wallet. Both
    are of the currency of the operation's first entry; `returned` has those of the others, `beside`. After `whole`,
    nothing is left to come back.
    """

    __tablename__ = "operation_return"
    __table_args__ = (CheckConstraint("undone >= 0 AND due >= 0", name="points"),)

    holder_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    operation_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    returned: Mapped[dict[str, Any]]
    undone: Mapped[int]
    due: Mapped[int]
    whole: Mapped[bool]


class Debt(Base):
    """Points that an operation took of a wallet which did not have them. What is left is `points` less its payments.

    One that came to this holder through a merge names its `source`: the reversal that it is owed for, and under whom
    that lies.
    """

    __tablename__ = "debt"
    __table_args__ = (
        CheckConstraint("points > 0", name="points"),
        CheckConstraint("(source_holder_id IS NULL) = (source_operation_id IS NULL)", name="source"),
        Index(
            "ix_debt_source",
            "source_holder_id",
            "source_operation_id",
            postgresql_where=text("source_operation_id IS NOT NULL"),
        ),
    )

    holder_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    operation_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    currency: Mapped[str] = mapped_column(primary_key=True)
    points: Mapped[int]
    source_holder_id: Mapped[uuid.UUID | None]
    source_operation_id: Mapped[uuid.UUID | None]


class DebtPayment(Base):
    """What of an operation's credit went to a debt, which is named by the operation that made it and its currency."""

    __tablename__ = "debt_payment"
    __table_args__ = (CheckConstraint("points > 0", name="points"),)

    holder_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    operation_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    debt_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    currency: Mapped[str] = mapped_column(primary_key=True)
    points: Mapped[int]


class TopUp(Base):
    """Money that was paid for stored value, and what was given on top of it: two lots, never mixed (L4).

    The paid lot never expires and is what may be refunded; the bonus lot is there where there was a bonus.
    """

    __tablename__ = "top_up"
    __table_args__ = (
        CheckConstraint("paid > 0 AND bonus >= 0 AND (bonus > 0) = (bonus_lot_id IS NOT NULL)", name="parts"),
        Index("ix_top_up_wallet", "holder_id", "currency"),
    )

    holder_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    operation_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    currency: Mapped[str]
    paid: Mapped[int]
    bonus: Mapped[int]
    paid_lot_id: Mapped[uuid.UUID]
    bonus_lot_id: Mapped[uuid.UUID | None]


class HolderStop(Base):
    """Who stopped a holder from posting, when and why, and who released it."""

    __tablename__ = "holder_stop"

    holder_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    stopped_at: Mapped[datetime] = mapped_column(primary_key=True)
    who: Mapped[str]
    why: Mapped[str]
    released_at: Mapped[datetime | None]
    released_by: Mapped[str | None]


class Repair(Base):
    """An operation that was booked on behalf of another, `target_id`, whose rows were changed or taken away.

    `accepted` is the entry that the target's leaf would have as its rows were then (empty where it was gone): the
    proof of the log takes that and nothing else.
    """

    __tablename__ = "repair"
    __table_args__ = (Index("ix_repair_target", "target_id"),)

    holder_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    operation_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    target_id: Mapped[uuid.UUID]
    accepted: Mapped[bytes] = mapped_column(LargeBinary)


class ForcedExit(Base):
    """Points that were sold for `change`, the lot `lot_id` of `into_currency` (R13).

    `waiting` are the lots, by id, that were held then: they `follows` as exits of their own.
    """

    __tablename__ = "forced_exit"
    __table_args__ = (
        CheckConstraint("points > 0 AND change > 0", name="points"),
        Index("ix_forced_exit_wallet", "holder_id", "currency"),
    )

    holder_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    operation_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    currency: Mapped[str]
    points: Mapped[int]
    into_currency: Mapped[str]
    change: Mapped[int]
    lot_id: Mapped[uuid.UUID]
    waiting: Mapped[list[Any]]
    follows: Mapped[uuid.UUID | None]
