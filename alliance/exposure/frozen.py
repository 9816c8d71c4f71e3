"""How a frozen merchant is kept from what is new (A12): points that it issues or grants, exchanges of its points."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from alliance.clearing.riders import OPEN_CYCLE, OpenCycle, Refusing
from alliance.exposure.errors import MerchantFrozen
from domain.ledger.request import Books, Effect, Needs, Rider
from domain.programs.catalogue import Merchant


@dataclass(frozen=True, slots=True)
class Going:
    """Rides on what none of these merchants, by id and code, does while it is frozen: as it stands when it posts."""

    merchants: tuple[tuple[uuid.UUID, str], ...]
    as_of: datetime
    path: tuple[str, ...]

    def needs(self, needs: Needs) -> None:
        """Who is frozen, held as it is until the batch is written."""
        needs.other(OPEN_CYCLE, self.as_of)

    def ride(self, books: Books, effect: Effect) -> None:
        """Raises MerchantFrozen."""
        cycle: OpenCycle = books.other(OPEN_CYCLE, self.as_of)
        for merchant_id, code in self.merchants if cycle.frozen else ():
            if merchant_id in cycle.frozen:
                raise MerchantFrozen(merchant=code, path=self.path)


def barred(merchants: Sequence[Merchant], path: tuple[str, ...]) -> MerchantFrozen | None:
    """The refusal of what is new of any of these merchants, as far as this process knows."""
    for merchant in merchants:
        if merchant.frozen_since is not None:
            return MerchantFrozen(merchant=merchant.code, path=path)
    return None


def going(merchants: Sequence[Merchant], as_of: datetime | None, path: tuple[str, ...]) -> tuple[Rider, ...]:
    """What refuses something new of any of these merchants while it is frozen.

    Without `as_of` as far as this process knows: for a dry run, and for what is between a merchant and its own members.
    """
    if (refusal := barred(merchants, path)) is not None:
        return (Refusing(refusal),)
    return () if as_of is None else (Going(tuple((one.id, one.code) for one in merchants), as_of, path),)
