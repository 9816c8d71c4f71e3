"""Rules of lots: pure functions, tested against RULES.md by number."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass(slots=True)
class Sliding:
    """The date that the lots of a wallet share which end by inactivity after one span of it (R4)."""

    holder_id: UUID
    id: UUID
    currency: str
    span: str
    expires_at: datetime


@dataclass(slots=True)
class PendingState:
    """Points of an earn that wait: see model.PendingGrant."""

    holder_id: UUID
    operation_id: UUID
    seq: int
    currency: str
    issuer_id: UUID
    funder_id: UUID
    price: int
    granted: int
    remaining: int
    granted_at: datetime
    matures_at: datetime | None
    policy: dict[str, Any]
    owed: list[Any] | None = None
    activated_by: UUID | None = None
    agreement_version: int | None = None
    room_of: UUID | None = None


@dataclass(slots=True)
class LotState:
    """A lot as the engine has it while it decides a batch.

    `source` names the lot that its points came from, where they were given or came back; `depth` counts the gifts;
    `root` is the lot that they were in before they were carried through merges.
    `held` is what open holds have set aside of it, `lapsed` what of it has been booked as expired.
    `expires_at` of a lot that slides is where its date stands now. With an `agreement_version`, spending it or its end
    moves something between funder and issuer.
    """

    holder_id: UUID
    id: UUID
    currency: str
    operation_id: UUID
    issuer_id: UUID
    funder_id: UUID
    price: int
    granted: int
    remaining: int
    granted_at: datetime
    expires_at: datetime | None
    source_holder_id: UUID | None = None
    source_lot_id: UUID | None = None
    depth: int = 0
    held: int = 0
    agreement_version: int | None = None
    root_holder_id: UUID | None = None
    root_lot_id: UUID | None = None
    lapsed: int = 0
    sliding: Sliding | None = None

    @property
    def sliding_id(self) -> UUID | None:
        """Which date it shares, if it slides."""
        return None if self.sliding is None else self.sliding.id

    @property
    def root(self) -> tuple[UUID, UUID]:
        """The lot, (holder, id), that its points were in before they were carried through merges: or it."""
        return (self.root_holder_id or self.holder_id, self.root_lot_id or self.id)

    @property
    def free(self) -> int:
        """What of it no hold has set aside."""
        return self.remaining - self.held

    def is_live(self, as_of: datetime) -> bool:
        """Whether its points may be spent at that instant (R2)."""
        return self.expires_at is None or self.expires_at > as_of


@dataclass(frozen=True, slots=True)
class HoldState:
    """A hold as the engine has it: `parts` are the lots it has set aside and how much of each, in the order allocated.

    Once captured, `captured` points of it were spent, by the operation `captured_by`. `reserves` is what it keeps ready
    with another room, by key, until it ends.
    """

    holder_id: UUID
    id: UUID
    currency: str
    points: int
    expires_at: datetime
    parts: tuple[tuple[UUID, int], ...]
    status: str = "OPEN"
    captured: int = 0
    captured_by: UUID | None = None
    reserves: dict[str, int] | None = None
    ended_as_of: datetime | None = None


def first_parts(parts: Iterable[tuple[LotState, int]], points: int) -> list[tuple[LotState, int]]:
    """The first `points` of what was allocated, in that order: what the capture of part of a hold takes (R14)."""
    taken: list[tuple[LotState, int]] = []
    for lot, part in parts:
        if points <= 0:
            break
        taken.append((lot, min(points, part)))
        points -= part
    return taken


def part_in_points(wanted: int, available: int, unit: int, minimum: int) -> int:
    """How many points pay for a part of an order that takes `wanted` at most (R15).

    No more than are available, down to a whole `unit`; under `minimum` it is zero.
    """
    points = min(wanted, available)
    points -= points % unit
    return points if points >= minimum else 0


def spend_order(lot: LotState) -> tuple[datetime, datetime, UUID]:
    """Sort key of R1: earliest expiry first, never-expiring last; ties by grant time, then id."""
    return (lot.expires_at or NEVER, lot.granted_at, lot.id)


def available(lots: Iterable[LotState], as_of: datetime) -> int:
    """Points that may be spent at `as_of`: not those past their expiry (R2), nor those that are held (R14)."""
    return sum(lot.free for lot in lots if lot.is_live(as_of))


def allocate(lots: Iterable[LotState], points: int, as_of: datetime) -> list[tuple[LotState, int]]:
    """Which lots pay for a debit of `points`, and how much each (R1).

    Returns pairs of lot and points taken; their sum is `points`, or less where not enough is available.
    """
    taken: list[tuple[LotState, int]] = []
    for lot in sorted((lot for lot in lots if lot.free and lot.is_live(as_of)), key=spend_order):
        if points <= 0:
            break
        part = min(points, lot.free)
        taken.append((lot, part))
        points -= part
    return taken


def gone(own: Iterable[LotState], as_of: datetime) -> int:
    """Points of an earn that have expired, whether or not the expiry has been booked: they are asked of nobody.

    Points under a hold have not expired.
    """
    return sum(lot.lapsed + (0 if lot.is_live(as_of) else lot.free) for lot in own)


def clawback(
    own: Sequence[LotState], others: Iterable[LotState], due: int, as_of: datetime
) -> tuple[list[tuple[LotState, int]], int]:
    """What a reversed earn takes back of `due` under `never_below_zero` (R21): its own lots first, then R1's order.

    Points under a hold stay there. Returns the pairs taken and the shortfall, which is forgotten.
    """
    taken = allocate(own, due, as_of)
    own_ids = {lot.id for lot in own}
    rest = due - sum(part for _, part in taken)
    taken += allocate((lot for lot in others if lot.id not in own_ids), rest, as_of)
    return taken, due - sum(part for _, part in taken)


def put_back(
    allocations: Iterable[tuple[LotState, int]], restored: Mapping[UUID, int], points: int
) -> list[tuple[LotState, int]]:
    """Into which lots `points` of a debit return (R20), where `restored` went back before.

    The last that were taken return first: what then is spent is what a smaller debit would have taken.
    """
    parts: list[tuple[LotState, int]] = []
    for lot, amount in sorted(allocations, key=lambda pair: spend_order(pair[0]), reverse=True):
        part = min(points, -amount - restored.get(lot.id, 0))
        if part > 0:
            parts.append((lot, part))
            points -= part
    return parts


def share(total: int, weights: Sequence[int]) -> list[int]:
    """`total` split in proportion to `weights` by largest remainder; ties go to the earlier one. Sums to `total`."""
    whole = sum(weights)
    if not whole:
        return [0] * len(weights)
    shares = [total * weight // whole for weight in weights]
    remainders = sorted(range(len(weights)), key=lambda i: (-(total * weights[i] % whole), i))
    for i in remainders[: total - sum(shares)]:
        shares[i] += 1
    return shares


def exchanged_lots(
    taken: Sequence[tuple[LotState, int]], points: int, policy_expiry: datetime | None
) -> list[tuple[int, datetime | None]]:
    """Points and expiry of the lots that an exchange credits.

    The points in are shared over the source lots by largest remainder, and each part lives until the earlier of the
    receiving currency's policy and its source lot (A3 b). Parts of one expiry are one lot.
    """
    parts: dict[datetime, int] = {}
    for (lot, _), part in zip(taken, share(points, [part for _, part in taken]), strict=True):
        if part:
            expiry = min(lot.expires_at or NEVER, policy_expiry or NEVER)
            parts[expiry] = parts.get(expiry, 0) + part
    return [(part, None if expiry == NEVER else expiry) for expiry, part in parts.items()]


def given_by(decisions: Sequence[Any], rule: str, currency: str) -> int:
    """What a rule gave in an earn, less what its own limits took off."""
    named = [(str(one.get("rule")), one["points"]) for one in decisions if one.get("currency", currency) == currency]
    return sum(points for name, points in named if name == rule or name.startswith(f"limit:{rule}:"))


def room_taken(given: int, granted: int, taken: int) -> int:
    """How much of a limit's room the points that a rule gave still take, when of all that an earn granted so many were
    taken back: the same share of them, rounded up (R9).
    """
    return -(-given * (granted - taken) // granted) if granted else given
