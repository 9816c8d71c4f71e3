"""The stricter of two laws on when points end (R5): a file is held to its merchant's, a lot also to its member's."""

from collections.abc import Callable
from typing import Any

from domain.ledger.request import Books, Effect
from domain.ledger.rules import LotState
from domain.programs.catalogue import Catalogue
from domain.programs.jurisdictions import Profile, forbids_expiry, profile_of
from domain.programs.terms import ExpiryPolicy, inactivity_of

_BY_TIME = ExpiryPolicy("fixed")


class StricterExpiry:
    """Lots that end in a way which the law of their member forbids never end.

    Only what is granted anew: what was moved or comes back keeps its date (R6). Tier credits end with their period.
    """

    def __init__(self, catalogue: Callable[[], Catalogue]) -> None:
        self.catalogue = catalogue

    def ride(self, books: Books, effect: Effect) -> None:
        """Free such lots of their dates; the operation's decisions say by which law."""
        by: dict[str, Any] = {}
        for lot in effect.lots:
            profile = self._forbidding(books, effect, lot)
            if profile is not None:
                lot.expires_at = lot.sliding = None
                by[profile.code] = {"rule": f"law:{profile.code}", "version": profile.version, "points": 0}
        if by:
            effect.operation["decisions"] = [*(effect.operation["decisions"] or ()), *by.values()]
            shared = {lot.sliding_id for wallet in books.wallets.values() for lot in wallet}
            shared |= {lot.sliding_id for lot in effect.lots}
            effect.slides = [slide for slide in effect.slides if slide[0].id in shared]

    def _forbidding(self, books: Books, effect: Effect, lot: LotState) -> Profile | None:
        """The profile of the lot's member on the day of the event, in the issuer's zone, if it forbids such an end."""
        jurisdiction = books.jurisdictions.get(lot.holder_id)
        if jurisdiction is None or lot.expires_at is None or lot.source_lot_id is not None:
            return None
        catalogue = self.catalogue()
        if catalogue.currencies[lot.currency].kind == "tier_credits":
            return None
        zone = catalogue.merchants_by_id[lot.issuer_id].timezone
        profile = profile_of(jurisdiction, effect.operation["occurred_at"].astimezone(zone).date())
        ends = _BY_TIME if lot.sliding is None else inactivity_of(lot.sliding.span)
        return profile if forbids_expiry(profile, ends) else None
