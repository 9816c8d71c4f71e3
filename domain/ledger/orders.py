"""Points plus cash (R15): an order takes what the wallet has, within its terms, and the rest is paid otherwise."""

from dataclasses import dataclass

from domain.ledger.commands import Redeem
from domain.ledger.request import Books, Effect, Needs
from domain.ledger.rules import allocate, part_in_points


@dataclass(slots=True, kw_only=True)
class RedeemForOrder(Redeem):
    """Spend up to `points`: what is available of them, in whole `unit`s; less than `minimum` is nothing."""

    unit: int = 1
    minimum: int = 1

    def needs(self, needs: Needs) -> None:
        """The whole wallet: what is available decides how much is spent."""
        Redeem.needs(self, needs)
        needs.wallets.add((self.holder_id, self.currency))

    def decide(self, books: Books) -> Effect | None:
        """As a redemption, with what riders refuse refused; None where it comes to zero. Raises MemberNotActive,
        DuplicateOrder."""
        self.admit(books)
        have = books.spendable(self.holder_id, self.currency, self.as_of)
        points = part_in_points(self.points, have, self.unit, self.minimum)
        effect = self.spend(books, allocate(books.open_lots(self.holder_id, self.currency), points, self.as_of))
        return effect if points else None
