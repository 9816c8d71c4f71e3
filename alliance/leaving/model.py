"""What becomes of what a member leaves behind."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID


class Fate(StrEnum):
    """Points LAPSE, are GIVEN to the member that was named, or KEPT where the law does not let them lapse.

    Stored value that was paid for is REFUNDED (L4).
    """

    LAPSED = "LAPSED"
    GIVEN = "GIVEN"
    KEPT = "KEPT"
    REFUNDED = "REFUNDED"


class Wallet(NamedTuple):
    """What is left of a wallet: of `points`, `paid` are stored value that was paid for, and `held` are set aside."""

    holder_id: UUID
    currency: str
    points: int
    held: int
    paid: int


class End(NamedTuple):
    """So many points of a currency have this fate."""

    currency: str
    points: int
    fate: Fate


@dataclass(slots=True)
class Left:
    """What a member leaves behind: wallets; and how many open holds, earns that wait, rights, and pools they are in."""

    wallets: list[Wallet] = field(default_factory=list)
    holds: int = 0
    pending: int = 0
    rights: int = 0
    pools: int = 0
