"""What the data of each kind of event hold. docs/events.md has the same as a table; a test compares them."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from domain.events.kinds import EventKind
from domain.ledger.model import OperationKind


class Is(StrEnum):
    """What a field of an event's data is; ids leave as clients know them, merchants as their codes."""

    MEMBER = "member's id"
    POOL = "pool's id"
    OPERATION = "operation's id"
    RIGHT = "right's id"
    NOTICE = "notice's id"
    AGREEMENT = "agreement's id"
    CYCLE = "cycle's id"
    CLAIM = "claim's id"
    WEBHOOK = "webhook's id"
    APPROVAL = "approval's id"
    BREAK = "break's id"
    DEFAULT = "default's id"
    FILE = "partner file's id"
    MERCHANT = "merchant's code"
    MERCHANTS = "merchants' codes"
    POINTS = "points"
    CHANGES = "list of currency and points"
    NUMBER = "number"
    MONEY = "decimal, in the settlement currency"
    TEXT = "text"
    TIME = "time"


_POINTS = {
    "operation": Is.OPERATION,
    "member": Is.MEMBER,
    "pool": Is.POOL,
    "merchant": Is.MERCHANT,
    "changes": Is.CHANGES,
    "occurredAt": Is.TIME,
    "store": Is.TEXT,
    "channel": Is.TEXT,
    "orderRef": Is.TEXT,
}
_PENDING = {"pending": Is.CHANGES}
_REVERSES = {"reverses": Is.OPERATION}
_RIGHT = {
    "operation": Is.OPERATION,
    "member": Is.MEMBER,
    "right": Is.RIGHT,
    "grantor": Is.MERCHANT,
    "kind": Is.TEXT,
    "uses": Is.NUMBER,
    "merchant": Is.MERCHANT,
    "occurredAt": Is.TIME,
    "store": Is.TEXT,
    "channel": Is.TEXT,
    "orderRef": Is.TEXT,
}
_LINKED = {"member": Is.MEMBER, "merchant": Is.MERCHANT, "type": Is.TEXT}
_PARTNER_FILE = {"merchant": Is.MERCHANT, "asOf": Is.TIME}
_POOL = {"member": Is.MEMBER, "pool": Is.POOL, "merchant": Is.MERCHANT}
_AHEAD = {
    "member": Is.MEMBER,
    "notice": Is.NOTICE,
    "merchant": Is.MERCHANT,
    "currency": Is.TEXT,
    "points": Is.POINTS,
    "dueAt": Is.TIME,
}
_DEFAULT = {"default": Is.DEFAULT, "merchant": Is.MERCHANT, "asOf": Is.TIME}
_PAYMENT = {"cycle": Is.CYCLE, "number": Is.NUMBER, "asOf": Is.TIME, "payment": Is.NUMBER} | {
    "from": Is.MERCHANT,
    "to": Is.MERCHANT,
    "amount": Is.MONEY,
}
_APPROVAL = {"approval": Is.APPROVAL, "act": Is.TEXT, "asOf": Is.TIME}
_BREAK = {"break": Is.BREAK, "merchant": Is.MERCHANT, "outcome": Is.TEXT, "asOf": Is.TIME}
_CYCLE = {"cycle": Is.CYCLE, "number": Is.NUMBER, "asOf": Is.TIME}
_CLAIM = {"claim": Is.CLAIM, "merchant": Is.MERCHANT, "against": Is.MERCHANT, "asOf": Is.TIME}

DATA: Mapping[EventKind, Mapping[str, Is]] = MappingProxyType(
    {
        EventKind.POINTS_EARNED: _POINTS | _PENDING,
        EventKind.POINTS_ACTIVATED: _POINTS | _PENDING,
        EventKind.POINTS_SPENT: _POINTS,
        EventKind.POINTS_EXPIRED: _POINTS,
        EventKind.POINTS_REVERSED: _POINTS | _PENDING | _REVERSES,
        EventKind.POINTS_EXCHANGED: _POINTS,
        EventKind.POINTS_GIVEN: _POINTS | {"to": Is.MEMBER},
        EventKind.POINTS_ADJUSTED: _POINTS,
        EventKind.POINTS_REINSTATED: _POINTS,
        EventKind.POINTS_OPENED: _POINTS,
        EventKind.POINTS_TOPPED_UP: _POINTS,
        EventKind.POINTS_REFUNDED: _POINTS,
        EventKind.POINTS_POOLED: _POINTS,
        EventKind.POINTS_UNPOOLED: _POINTS,
        EventKind.POINTS_REPAIRED: _POINTS | _PENDING,
        EventKind.POINTS_SOLD: _POINTS,
        EventKind.POINTS_EXTENDED: _POINTS,
        EventKind.POINTS_MERGED: _POINTS | {"to": Is.MEMBER},
        EventKind.POINTS_UNMERGED: _POINTS | _REVERSES | {"from": Is.MEMBER},
        EventKind.RIGHT_GRANTED: _RIGHT,
        EventKind.RIGHT_USED: _RIGHT,
        EventKind.RIGHT_MISSED: _RIGHT,
        EventKind.RIGHT_CANCELLED: _RIGHT | _REVERSES,
        EventKind.RIGHT_EXPIRED: _RIGHT,
        EventKind.RIGHT_RESTORED: _RIGHT | _REVERSES,
        EventKind.MEMBER_JOINED: {"member": Is.MEMBER, "merchant": Is.MERCHANT},
        EventKind.MEMBER_LINKED: _LINKED,
        EventKind.MEMBER_VERIFIED: _LINKED,
        EventKind.MEMBER_UNLINKED: _LINKED,
        EventKind.MEMBER_MERGED: {"member": Is.MEMBER, "absorbed": Is.MEMBER},
        EventKind.MEMBER_UNMERGED: {"member": Is.MEMBER, "absorbed": Is.MEMBER},
        EventKind.MEMBER_STATUS_CHANGED: {"member": Is.MEMBER, "from": Is.TEXT, "to": Is.TEXT, "until": Is.TIME},
        EventKind.MEMBER_ERASED: {"member": Is.MEMBER, "reason": Is.TEXT},
        EventKind.CONSENT_CHANGED: {"member": Is.MEMBER, "merchant": Is.MERCHANT, "kinds": Is.TEXT, "given": Is.TEXT},
        EventKind.TERMS_ACCEPTED: {
            "member": Is.MEMBER,
            "merchant": Is.MERCHANT,
            "terms": Is.TEXT,
            "version": Is.NUMBER,
            "language": Is.TEXT,
        },
        EventKind.MEMBER_STAGE_CHANGED: {
            "member": Is.MEMBER,
            "merchant": Is.MERCHANT,
            "from": Is.TEXT,
            "to": Is.TEXT,
            "since": Is.TIME,
        },
        EventKind.MEMBER_UPDATED: {"member": Is.MEMBER, "attributes": Is.TEXT},
        EventKind.MEMBER_TAGGED: {"member": Is.MEMBER, "merchant": Is.MERCHANT, "tag": Is.TEXT},
        EventKind.MEMBER_UNTAGGED: {"member": Is.MEMBER, "merchant": Is.MERCHANT, "tag": Is.TEXT},
        EventKind.MEMBER_LOCKED: {"member": Is.MEMBER, "until": Is.TIME},
        EventKind.MEMBER_UNLOCKED: {"member": Is.MEMBER, "by": Is.TEXT},
        EventKind.MEMBER_COOLING_OFF: {
            "member": Is.MEMBER,
            "merchant": Is.MERCHANT,
            "type": Is.TEXT,
            "until": Is.TIME,
        },
        EventKind.MEMBER_GUARD_LIFTED: {"member": Is.MEMBER, "part": Is.TEXT},
        EventKind.MEMBER_DEVICE_SEEN: {"member": Is.MEMBER, "merchant": Is.MERCHANT, "device": Is.TEXT},
        EventKind.MEMBER_LEAVING: {"member": Is.MEMBER, "closesAt": Is.TIME},
        EventKind.MEMBER_STAYING: {"member": Is.MEMBER},
        EventKind.POOL_JOINED: _POOL | {"role": Is.TEXT},
        EventKind.POOL_LEFT: _POOL,
        EventKind.POOL_INVITED: _POOL | {"role": Is.TEXT},
        EventKind.POOL_DECLINED: _POOL,
        EventKind.POOL_CLOSED: {"pool": Is.POOL, "merchant": Is.MERCHANT},
        EventKind.TIER_CHANGED: {
            "member": Is.MEMBER,
            "merchant": Is.MERCHANT,
            "before": Is.TEXT,
            "level": Is.TEXT,
            "reason": Is.TEXT,
            "from": Is.TIME,
            "until": Is.TIME,
            "operation": Is.OPERATION,
        },
        EventKind.TIER_RIGHTS: {
            "member": Is.MEMBER,
            "merchant": Is.MERCHANT,
            "level": Is.TEXT,
            "reason": Is.TEXT,
            "granted": Is.NUMBER,
            "cancelled": Is.NUMBER,
            "used": Is.NUMBER,
            "booked": Is.NUMBER,
            "refused": Is.TEXT,
            "operation": Is.OPERATION,
        },
        EventKind.EXPIRY_AHEAD: _AHEAD,
        EventKind.EXIT_AHEAD: _AHEAD,
        EventKind.AGREEMENT_STEP: {
            "agreement": Is.AGREEMENT,
            "version": Is.NUMBER,
            "step": Is.TEXT,
            "party": Is.MERCHANT,
            "merchants": Is.MERCHANTS,
            "asOf": Is.TIME,
        },
        EventKind.CAP_ALERT: {"merchant": Is.MERCHANT, "level": Is.NUMBER, "used": Is.MONEY, "cap": Is.MONEY},
        EventKind.MERCHANT_FROZEN: {"merchant": Is.MERCHANT, "asOf": Is.TIME},
        EventKind.MERCHANT_RESTORED: {"merchant": Is.MERCHANT, "asOf": Is.TIME},
        EventKind.CYCLE_STEP: _CYCLE | {"status": Is.TEXT},
        EventKind.STATEMENT_CONFIRMED: _CYCLE | {"merchant": Is.MERCHANT},
        EventKind.LINES_OBJECTED: _CYCLE | {"merchant": Is.MERCHANT, "against": Is.MERCHANT, "lines": Is.NUMBER},
        EventKind.BREAK_ASSIGNED: _BREAK | {"owner": Is.TEXT},
        EventKind.BREAK_CLOSED: _BREAK | {"status": Is.TEXT, "amount": Is.MONEY, "reason": Is.TEXT},
        EventKind.LINES_RERATED: {
            "agreement": Is.AGREEMENT,
            "merchants": Is.MERCHANTS,
            "lines": Is.NUMBER,
            "asOf": Is.TIME,
        },
        EventKind.PARTNER_FILE_RECONCILED: _PARTNER_FILE
        | {"file": Is.FILE, "number": Is.NUMBER, "lines": Is.NUMBER, "matched": Is.NUMBER, "differing": Is.NUMBER},
        EventKind.PARTNER_FILE_MISSING: _PARTNER_FILE | {"mapping": Is.TEXT, "day": Is.TEXT, "dueAt": Is.TIME},
        EventKind.LINE_CORRECTED: {"operation": Is.OPERATION, "merchant": Is.MERCHANT, "occurredAt": Is.TIME},
        EventKind.APPROVAL_ASKED: _APPROVAL,
        EventKind.APPROVAL_DECIDED: _APPROVAL | {"status": Is.TEXT},
        EventKind.CLAIM_STEP: _CLAIM
        | {
            "door": Is.TEXT,
            "step": Is.TEXT,
            "status": Is.TEXT,
            "claimed": Is.MONEY,
            "accepted": Is.MONEY,
            "dueAt": Is.TIME,
        },
        EventKind.CLAIM_UNDECIDED: _CLAIM,
        EventKind.DEFAULT_DECLARED: _DEFAULT | {"cycle": Is.CYCLE, "number": Is.NUMBER},
        EventKind.DEFAULT_BORNE: _DEFAULT
        | {"cycle": Is.CYCLE, "number": Is.NUMBER, "loss": Is.MONEY, "fund": Is.MONEY},
        EventKind.DEFAULT_RECOVERED: _DEFAULT | {"amount": Is.MONEY},
        EventKind.HONOURING_ENDED: {"merchant": Is.MERCHANT, "asOf": Is.TIME},
        EventKind.PAYMENT_RELEASED: _PAYMENT,
        EventKind.RECEIPT_MATCHED: _PAYMENT,
        EventKind.RECEIPT_UNMATCHED: _PAYMENT,
        EventKind.EXIT_ANNOUNCED: {"merchant": Is.MERCHANT, "asOf": Is.TIME, "endsAt": Is.TIME},
        EventKind.EXIT_WITHDRAWN: {"merchant": Is.MERCHANT, "asOf": Is.TIME},
        EventKind.DEPOSIT_MOVED: {
            "merchant": Is.MERCHANT,
            "account": Is.TEXT,
            "kind": Is.TEXT,
            "amount": Is.MONEY,
            "asOf": Is.TIME,
        },
        EventKind.WEBHOOK_DISABLED: {"webhook": Is.WEBHOOK, "why": Is.TEXT},
        EventKind.CALENDAR_CHANGED: {
            "holidays": Is.TEXT,
            "workingDays": Is.TEXT,
            "undeclared": Is.TEXT,
            "reason": Is.TEXT,
            "asOf": Is.TIME,
        },
        EventKind.DEADLINE_EXTENDED: _CYCLE | {"deadline": Is.TEXT, "from": Is.TIME, "until": Is.TIME},
    }
)

FOR_ALL = frozenset({EventKind.CYCLE_STEP, EventKind.CALENDAR_CHANGED, EventKind.DEADLINE_EXTENDED})
"""What every merchant is told of."""

AT_ITS_TILL = ("store", "channel", "orderRef")
"""What of an operation only the merchant is told where it happened."""

OF_OPERATION: Mapping[str, EventKind] = MappingProxyType(
    {
        OperationKind.EARN: EventKind.POINTS_EARNED,
        OperationKind.ACTIVATE: EventKind.POINTS_ACTIVATED,
        OperationKind.REDEEM: EventKind.POINTS_SPENT,
        OperationKind.EXPIRE: EventKind.POINTS_EXPIRED,
        OperationKind.REVERSAL: EventKind.POINTS_REVERSED,
        OperationKind.EXCHANGE: EventKind.POINTS_EXCHANGED,
        OperationKind.GIFT: EventKind.POINTS_GIVEN,
        OperationKind.ADJUST: EventKind.POINTS_ADJUSTED,
        OperationKind.REINSTATE: EventKind.POINTS_REINSTATED,
        OperationKind.OPENING: EventKind.POINTS_OPENED,
        OperationKind.TOP_UP: EventKind.POINTS_TOPPED_UP,
        OperationKind.REFUND: EventKind.POINTS_REFUNDED,
        OperationKind.POOL_IN: EventKind.POINTS_POOLED,
        OperationKind.POOL_OUT: EventKind.POINTS_UNPOOLED,
        OperationKind.REPAIR: EventKind.POINTS_REPAIRED,
        OperationKind.EXIT: EventKind.POINTS_SOLD,
        OperationKind.EXTEND: EventKind.POINTS_EXTENDED,
        OperationKind.MERGE: EventKind.POINTS_MERGED,
        OperationKind.UNMERGE: EventKind.POINTS_UNMERGED,
        OperationKind.RIGHT_GRANT: EventKind.RIGHT_GRANTED,
        OperationKind.RIGHT_USE: EventKind.RIGHT_USED,
        OperationKind.RIGHT_NO_SHOW: EventKind.RIGHT_MISSED,
        OperationKind.RIGHT_CANCEL: EventKind.RIGHT_CANCELLED,
        OperationKind.RIGHT_EXPIRE: EventKind.RIGHT_EXPIRED,
        OperationKind.RIGHT_RESTORE: EventKind.RIGHT_RESTORED,
        OperationKind.CORRECTION: EventKind.LINE_CORRECTED,
    }
)
"""The kind of event that an operation is."""
