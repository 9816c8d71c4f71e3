"""What comes back because a merchant was at fault lives some days more (R20)."""

from datetime import datetime
from functools import partial

from domain.ledger.restoring import Grace
from domain.programs.catalogue import Catalogue, Merchant
from domain.programs.rules import expiry_instant
from domain.programs.terms import ExpiryPolicy


def grace_of(catalogue: Catalogue, at_fault: Merchant | None, as_of: datetime) -> Grace | None:
    """Until when points live at least that come back because a merchant was at fault, if one was."""
    return None if at_fault is None else partial(_grace, catalogue, at_fault, as_of)


def _grace(catalogue: Catalogue, at_fault: Merchant, as_of: datetime, currency: str) -> datetime | None:
    """The days are the merchant's, and end where the points' issuer is."""
    issuer = catalogue.merchants_by_id[catalogue.currencies[currency].merchant_id]
    return expiry_instant(ExpiryPolicy("rolling", days=at_fault.grace_on_fault), as_of, issuer.timezone)
