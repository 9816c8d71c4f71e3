"""Who is asking: the kind of viewer, whom they act for, and which scopes narrow what they may do."""

import uuid
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, Protocol

Kind = Literal["member", "merchant", "operator", "auditor"]


class Scope(StrEnum):
    """What a token may be used for, within what its kind of viewer may see."""

    MEMBERS_READ = "members:read"
    MEMBERS_WRITE = "members:write"
    MEMBERS_SIGN_IN = "members:sign-in"
    MEMBERS_MERGE = "members:merge"
    IDENTIFIERS_READ = "identifiers:read"
    IDENTIFIERS_VERIFY = "identifiers:verify"
    IDENTIFIERS_WRITE = "identifiers:write"
    POINTS_READ = "points:read"
    POINTS_EARN = "points:earn"
    POINTS_GIVE = "points:give"
    POINTS_SPEND = "points:spend"
    POINTS_REVERSE = "points:reverse"
    POINTS_EXCHANGE = "points:exchange"
    POINTS_TRANSFER = "points:transfer"
    POINTS_ADJUST = "points:adjust"
    POINTS_LOCK = "points:lock"
    RIGHTS_GRANT = "rights:grant"
    RIGHTS_USE = "rights:use"
    SETTLEMENT_READ = "settlement:read"
    SETTLEMENT_WRITE = "settlement:write"
    CYCLE_CLOSE = "cycle:close"
    CYCLE_STATE = "cycle:state"
    CYCLE_CONFIRM = "cycle:confirm"
    CYCLE_NET = "cycle:net"
    CYCLE_SETTLE = "cycle:settle"
    CYCLE_RECEIVE = "cycle:receive"
    CYCLE_OBJECT = "cycle:object"
    CYCLE_ABORT = "cycle:abort"
    JOBS_READ = "jobs:read"
    JOBS_WRITE = "jobs:write"
    AGREEMENTS_WRITE = "agreements:write"
    EVENTS_READ = "events:read"
    WEBHOOKS_WRITE = "webhooks:write"
    CONSENTS_WRITE = "consents:write"
    CODES_ISSUE = "codes:issue"
    PROFILES_WRITE = "profiles:write"
    MERCHANTS_FREEZE = "merchants:freeze"
    CLAIMS_WRITE = "claims:write"
    APPROVALS_WRITE = "approvals:write"
    RECONCILE_WRITE = "reconcile:write"
    RECEIPTS_WRITE = "receipts:write"
    PAYMENTS_RELEASE = "payments:release"
    COLLATERAL_WRITE = "collateral:write"
    DEFAULTS_WRITE = "defaults:write"
    MEMBERS_FREEZE = "members:freeze"
    MEMBERS_CLOSE = "members:close"
    MEMBERS_ERASE = "members:erase"
    MEMBERS_EXPORT = "members:export"
    AUDIT_READ = "audit:read"
    JOURNAL_READ = "journal:read"
    INVOICES_WRITE = "invoices:write"
    LIABILITY_READ = "liability:read"
    CALENDAR_WRITE = "calendar:write"
    CORRECTIONS_WRITE = "corrections:write"
    CLOCK = "clock"


MEANING: dict[Scope, str] = {
    Scope.MEMBERS_READ: "look up members and their memberships; identifiers are masked",
    Scope.MEMBERS_WRITE: "enrol members and link identifiers",
    Scope.MEMBERS_SIGN_IN: "exchange what one knows of a member for a token of theirs",
    Scope.MEMBERS_MERGE: "merge members who are one person, and undo it",
    Scope.IDENTIFIERS_READ: "see identifiers in full",
    Scope.IDENTIFIERS_VERIFY: "vouch for identifiers that have to be verified",
    Scope.IDENTIFIERS_WRITE: "link, prove and take away identifiers; members: their own",
    Scope.POINTS_READ: "see wallets and operations",
    Scope.POINTS_EARN: "earn points for purchases, one by one and by feed",
    Scope.POINTS_GIVE: "earn a number of points that no rule decided",
    Scope.POINTS_SPEND: "redeem points",
    Scope.POINTS_REVERSE: "reverse operations, and report returns by feed",
    Scope.POINTS_EXCHANGE: "quote and exchange points",
    Scope.POINTS_TRANSFER: "give points to another member",
    Scope.POINTS_ADJUST: "give and take points by hand, and bring expired ones back",
    Scope.POINTS_LOCK: "lock members' points; members: lock and unlock their own",
    Scope.RIGHTS_GRANT: "grant rights to members",
    Scope.RIGHTS_USE: "book, use, cancel and restore rights",
    Scope.SETTLEMENT_READ: "see settlement cycles, positions, payments and statements",
    Scope.SETTLEMENT_WRITE: "take every step of a cycle",
    Scope.CYCLE_CLOSE: "close cycles",
    Scope.CYCLE_STATE: "issue the statements of cycles",
    Scope.CYCLE_CONFIRM: "confirm statements",
    Scope.CYCLE_NET: "net cycles, and plan their payments",
    Scope.CYCLE_SETTLE: "have the payments of cycles made",
    Scope.CYCLE_RECEIVE: "record payments as received",
    Scope.CYCLE_OBJECT: "object to lines of statements",
    Scope.CYCLE_ABORT: "give cycles up",
    Scope.JOBS_READ: "see jobs in the background",
    Scope.JOBS_WRITE: "retry and discard jobs that failed",
    Scope.AGREEMENTS_WRITE: "propose, accept and end agreements between merchants",
    Scope.EVENTS_READ: "follow the events of one's own side of the alliance, and see webhooks",
    Scope.WEBHOOKS_WRITE: "make, change and delete webhooks",
    Scope.CONSENTS_WRITE: "give and withdraw consent to messages",
    Scope.CODES_ISSUE: "show a code of one's own at a till",
    Scope.PROFILES_WRITE: "tell attributes and preferences of members, and tag them",
    Scope.MERCHANTS_FREEZE: "freeze and restore merchants",
    Scope.CLAIMS_WRITE: "raise, answer and, for the operator, decide claims and objections",
    Scope.RECEIPTS_WRITE: "take banks' statements in, and match receipts with payments",
    Scope.PAYMENTS_RELEASE: "release payments to banks, and hold them back",
    Scope.APPROVALS_WRITE: "approve or refuse what a colleague asked for",
    Scope.RECONCILE_WRITE: "send files to be reconciled, and work what differs",
    Scope.COLLATERAL_WRITE: "record, release and draw what merchants deposit",
    Scope.DEFAULTS_WRITE: "declare merchants in default, and record what they pay later",
    Scope.MEMBERS_FREEZE: "freeze and restore members",
    Scope.MEMBERS_CLOSE: "have members leave, for good",
    Scope.MEMBERS_ERASE: "erase members, and keep their data under legal holds",
    Scope.MEMBERS_EXPORT: "export all that is known of a member",
    Scope.AUDIT_READ: "see who read whose personal data",
    Scope.JOURNAL_READ: "download the journal of all books",
    Scope.LIABILITY_READ: "see what is still owed for points that are out",
    Scope.CALENDAR_WRITE: "declare business days, and extend deadlines of cycles",
    Scope.CORRECTIONS_WRITE: "waive fees and interest, and write off what is owed to one",
    Scope.INVOICES_WRITE: "record invoices that one's own books issued or received",
    Scope.CLOCK: "say what time it is (as of), for replays",
}

WIDER: dict[str, Scope] = {scope: Scope.SETTLEMENT_WRITE for scope in Scope if scope.startswith("cycle:")}
WIDER[Scope.IDENTIFIERS_WRITE] = Scope.MEMBERS_WRITE
"""Which scope also lets do what a narrower one is for."""

_READS = frozenset({Scope.MEMBERS_READ, Scope.POINTS_READ, Scope.SETTLEMENT_READ})
_POINTS = frozenset({Scope.POINTS_EARN, Scope.POINTS_SPEND, Scope.POINTS_REVERSE, Scope.POINTS_EXCHANGE})

DEFAULT_SCOPES: dict[Kind, frozenset[str]] = {
    "member": frozenset({Scope.MEMBERS_READ, Scope.IDENTIFIERS_READ, Scope.POINTS_READ, Scope.POINTS_EXCHANGE})
    | {Scope.POINTS_TRANSFER, Scope.RIGHTS_USE, Scope.CONSENTS_WRITE, Scope.CODES_ISSUE, Scope.PROFILES_WRITE}
    | {Scope.POINTS_LOCK, Scope.MEMBERS_EXPORT, Scope.IDENTIFIERS_WRITE},
    "merchant": _READS
    | _POINTS
    | {Scope.RIGHTS_USE, Scope.MEMBERS_WRITE, Scope.EVENTS_READ, Scope.CONSENTS_WRITE, Scope.PROFILES_WRITE}
    | {Scope.POINTS_LOCK, Scope.IDENTIFIERS_VERIFY},
    "operator": frozenset(Scope) - {Scope.CLOCK},
    "auditor": _READS | {Scope.AUDIT_READ, Scope.JOURNAL_READ, Scope.LIABILITY_READ},
}
"""What a client has if nothing is said."""

ALLOWED_SCOPES: dict[Kind, frozenset[str]] = {
    "member": DEFAULT_SCOPES["member"] | {Scope.POINTS_SPEND, Scope.MEMBERS_CLOSE},
    "merchant": DEFAULT_SCOPES["merchant"]
    | {Scope.MEMBERS_SIGN_IN, Scope.IDENTIFIERS_READ, Scope.POINTS_GIVE, Scope.POINTS_TRANSFER, Scope.POINTS_ADJUST}
    | {Scope.MEMBERS_CLOSE, Scope.CYCLE_CONFIRM, Scope.CYCLE_RECEIVE, Scope.CYCLE_OBJECT, Scope.SETTLEMENT_WRITE}
    | {Scope.MEMBERS_EXPORT, Scope.AGREEMENTS_WRITE, Scope.WEBHOOKS_WRITE, Scope.RIGHTS_GRANT, Scope.APPROVALS_WRITE}
    | {Scope.CLAIMS_WRITE, Scope.LIABILITY_READ}
    | {Scope.CORRECTIONS_WRITE}
    | {Scope.IDENTIFIERS_WRITE, Scope.RECONCILE_WRITE}
    | {Scope.RECEIPTS_WRITE, Scope.PAYMENTS_RELEASE, Scope.INVOICES_WRITE},
    "operator": frozenset(Scope),
    "auditor": _READS | {Scope.AUDIT_READ, Scope.JOURNAL_READ, Scope.LIABILITY_READ},
}
"""What a client may be given: the clock to operators only, personal data never to auditors."""


@dataclass(frozen=True, slots=True)
class Viewer:
    """Whoever signed in. `subject` is the member, else the client itself; keys are unique to (client_id, subject).

    `device_id`: from which of their devices a member signed in, where that was said.
    """

    kind: Kind
    client_id: uuid.UUID
    subject: uuid.UUID
    merchant_id: uuid.UUID | None
    member_id: uuid.UUID | None
    scopes: frozenset[str]
    device_id: uuid.UUID | None = None


class InvalidToken(Exception):
    """A bearer token that is not good (any more); the message says why and may be shown to the caller."""


class Verifier(Protocol):
    """Tells who a bearer token signs in."""

    def verify(self, bearer: str) -> Viewer:
        """The viewer of a token. Raises InvalidToken."""
        ...
