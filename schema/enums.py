"""Enumerations that clients see. Where the domain has one, it is that one."""

from enum import StrEnum

import strawberry

from alliance.clearing.model import ObligationKind
from alliance.deadlines.model import DeadlineKind
from alliance.disputes.model import ObjectionReason
from alliance.settlement.model import CycleStatus, PaymentStatus
from domain.contacts.model import ContactChannel, Purpose
from domain.events.kinds import EventKind
from domain.ledger.model import HoldStatus, OperationKind
from domain.members.model import MemberStatus
from domain.pools.model import LimitPeriod, PoolKind, PoolMoves, PoolRole, PoolStatus
from domain.stages.model import LifeStage


@strawberry.enum(description="Where a member met a merchant.")
class Channel(StrEnum):
    """As in the contract."""

    APP = "APP"
    MINI_PROGRAM = "MINI_PROGRAM"
    WEB = "WEB"
    STORE = "STORE"
    KIOSK = "KIOSK"
    SOCIAL = "SOCIAL"
    CALL_CENTRE = "CALL_CENTRE"
    PARTNER = "PARTNER"


@strawberry.enum(description="What a line was paid with (rule R8).")
class TenderKind(StrEnum):
    """Only money earns."""

    MONEY = "MONEY"
    POINTS = "POINTS"
    COUPON = "COUPON"
    STORED_VALUE = "STORED_VALUE"


@strawberry.enum(description="Derived: an operation is never edited.")
class OperationStatus(StrEnum):
    """From the operations that reverse it."""

    POSTED = "POSTED"
    PENDING = "PENDING"
    PARTLY_REVERSED = "PARTLY_REVERSED"
    REVERSED = "REVERSED"


@strawberry.enum(description="As whom a caller has signed in.")
class ViewerKind(StrEnum):
    """See docs/graphql.md, Who calls."""

    MEMBER = "member"
    MERCHANT = "merchant"
    OPERATOR = "operator"
    AUDITOR = "auditor"


for shared, about in (
    (CycleStatus, "The states of a settlement cycle, in order; ABORTED from any before SETTLING."),
    (
        PaymentStatus,
        "PLANNED by netting, PAID by settling; CARRIED to the next cycle for being too small. HELD is withheld from "
        "who is in default; MOVED was not paid by it, and is owed again in the open cycle.",
    ),
    (ObjectionReason, "Why a merchant objects to a line: reasons that a machine can check."),
    (ObligationKind, "What is owed for; a FEE goes to the operator."),
    (HoldStatus, "What became of points that were set aside."),
    (OperationKind, "What a business event was."),
    (Purpose, "SERVICE: about what the member has or did. MARKETING: what they might buy."),
    (ContactChannel, "By what a member is written to."),
    (EventKind, "What happened; docs/events.md says which data each kind has."),
    (MemberStatus, "Only an ACTIVE member moves points."),
):
    strawberry.enum(shared, description=about)

strawberry.enum(LifeStage, description="How long ago a member bought.")
strawberry.enum(PoolKind, description="Of a household, or of people who buy for a company.")
strawberry.enum(PoolStatus, description="Points of an ACTIVE pool move; a CLOSED one is empty.")
strawberry.enum(PoolRole, description="All put points in; a SPENDER also spends and takes out; the OWNER manages it.")
strawberry.enum(PoolMoves, description="What a limit of a pool counts.")
strawberry.enum(LimitPeriod, description="In what a limit of a pool counts.")
strawberry.enum(DeadlineKind, description="Of a cycle: until when objections are heard, by when it is paid.")
