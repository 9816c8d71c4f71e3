"""Kinds of operations and accounts, and the states of a hold."""

from enum import StrEnum


class OperationKind(StrEnum):
    """What a business event was."""

    EARN = "EARN"
    REDEEM = "REDEEM"
    EXCHANGE = "EXCHANGE"
    EXPIRE = "EXPIRE"
    REVERSAL = "REVERSAL"
    GIFT = "GIFT"
    ADJUST = "ADJUST"
    REINSTATE = "REINSTATE"
    OPENING = "OPENING"
    TOP_UP = "TOP_UP"
    POOL_IN = "POOL_IN"
    POOL_OUT = "POOL_OUT"
    REFUND = "REFUND"
    ACTIVATE = "ACTIVATE"
    REPAIR = "REPAIR"
    EXIT = "EXIT"
    EXTEND = "EXTEND"
    MERGE = "MERGE"
    UNMERGE = "UNMERGE"
    RIGHT_GRANT = "RIGHT_GRANT"
    RIGHT_USE = "RIGHT_USE"
    RIGHT_NO_SHOW = "RIGHT_NO_SHOW"
    RIGHT_CANCEL = "RIGHT_CANCEL"
    RIGHT_EXPIRE = "RIGHT_EXPIRE"
    RIGHT_RESTORE = "RIGHT_RESTORE"
    CORRECTION = "CORRECTION"


class AccountKind(StrEnum):
    """POINTS, PENDING and RIGHTS belong to a member and have a floor of zero; STOCK and BUDGET to a grantor of rights,
    as far below zero as the alliance file says; the others belong to the issuer (COST: to the member) and have none."""

    POINTS = "POINTS"
    PENDING = "PENDING"
    ISSUANCE = "ISSUANCE"
    REDEMPTION = "REDEMPTION"
    EXCHANGE = "EXCHANGE"
    BREAKAGE = "BREAKAGE"
    ADJUSTMENT = "ADJUSTMENT"
    OPENING = "OPENING"
    DEPOSIT = "DEPOSIT"
    SUSPENSE = "SUSPENSE"
    EXIT = "EXIT"
    RIGHTS = "RIGHTS"
    STOCK = "STOCK"
    BUDGET = "BUDGET"
    GRANTED = "GRANTED"
    USED = "USED"
    COST = "COST"


class HoldStatus(StrEnum):
    """A hold is OPEN until it is captured or released; past its time it has LAPSED, whether or not that was booked."""

    OPEN = "OPEN"
    CAPTURED = "CAPTURED"
    RELEASED = "RELEASED"
    LAPSED = "LAPSED"
