"""The stricter of two laws on when points end (R5): a file is held to its merchant's, a lot also to its member's."""

from collections.abc import Callable
from typing import Any

from domain.ledger.model import OperationKind
from domain.ledger.request import Books, Effect
from domain.ledger.rules import LotState
from domain.programs.catalogue import Catalogue
from domain.programs.jurisdictions import Profile, forbids_expiry, profile_of
from domain.programs.prepaid import is_told_in_time
from domain.programs.terms import ExpiryPolicy, inactivity_of

_BY_TIME = ExpiryPolicy("fixed")


class StricterExpiry:
    """Lots that end in a way which the law of their member forbids, or without the notice it asks for, never end.

    Only what gets a date anew, reinstated points among it: what was moved or put back keeps its date (R6). Tier
    credits end with their period.
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
            if "expires_at" in effect.data:
                effect.data["expires_at"] = None
            shared = {lot.sliding_id for wallet in books.wallets.values() for lot in wallet}
            shared |= {lot.sliding_id for lot in effect.lots}
            effect.slides = [slide for slide in effect.slides if slide[0].id in shared]

    def _forbidding(self, books: Books, effect: Effect, lot: LotState) -> Profile | None:
        """The profile of the lot's member on the day of the event, in the issuer's zone, if it forbids such an end."""
        jurisdiction = books.jurisdictions.get(lot.holder_id)
        moved = lot.source_lot_id is not None and effect.operation["kind"] != OperationKind.REINSTATE
        if jurisdiction is None or lot.expires_at is None or moved:
            return None
        catalogue = self.catalogue()
        if catalogue.currencies[lot.currency].kind == "tier_credits":
            return None
        zone = catalogue.merchants_by_id[lot.issuer_id].timezone
        profile = profile_of(jurisdiction, effect.operation["occurred_at"].astimezone(zone).date())
        ends = _BY_TIME if lot.sliding is None else inactivity_of(lot.sliding.span)
        if forbids_expiry(profile, ends):
            return profile
        told = catalogue.currencies[lot.currency].policy_at(effect.operation["occurred_at"]).notice
        return None if is_told_in_time(profile.code, told) else profile
