"""Tiers beside what clearing posts: what a purchase earns by the member's tier, and what it does to that tier."""

import uuid
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import wraps
from typing import Any, ParamSpec

from alliance.notices.commands import window_of
from alliance.runtime import Runtime
from domain.ledger.commands import Earn, Expire
from domain.ledger.due import DueWallet
from domain.ledger.request import Rider
from domain.programs.catalogue import Merchant
from domain.programs.tiering import TierProgramme
from domain.tiers.commands import Adjusting, EvaluateTier, ExpireCredits, Returning, earn_by_tier
from domain.tiers.queries import Place

Asked = ParamSpec("Asked")


def by_tier(make: Callable[Asked, Earn]) -> Callable[Asked, Earn]:
    """Where the merchant has tiers, value a purchase for each that rules name: which one counts is known when posting.

    So all purchases of a batch are valued as they would be one by one (R28).
    """

    @wraps(make)
    def made(*args: Asked.args, **asked: Asked.kwargs) -> Earn:
        merchant = asked["merchant"]
        assert isinstance(merchant, Merchant)
        base = make(*args, **asked)
        if merchant.tiers is None:
            return base
        others: dict[str | None, Earn] = {}
        for tier in merchant.by_tier:
            asked["tier"] = tier
            others[tier] = make(*args, **asked)
        return earn_by_tier(base, merchant.tiers, others)

    return made


def returning(runtime: Runtime, holder_id: uuid.UUID, as_of: datetime) -> tuple[Rider, ...]:
    """What rides on a reversal, where any merchant has tiers."""
    merchants = runtime.catalogue.merchants_by_id
    programmes = {id_: merchant.tiers for id_, merchant in merchants.items() if merchant.tiers is not None}
    return (Returning(programmes, holder_id, as_of),) if programmes else ()


def adjusting(runtime: Runtime, currency: str, holder_id: uuid.UUID, as_of: datetime) -> tuple[Rider, ...]:
    """What rides on an adjustment, where these are the credits of tiers."""
    programme = _programme_of(runtime, currency)
    return () if programme is None else (Adjusting(programme, holder_id, as_of),)


def evaluate_requests(runtime: Runtime, places: Sequence[Place], as_of: datetime) -> list[EvaluateTier]:
    """What decides the tiers that follow those that have ended; none where a merchant has no tiers any more."""
    merchants = runtime.catalogue.merchants_by_id
    return [
        EvaluateTier(holder_id=holder_id, programme=programme, **_by_nobody(as_of))
        for holder_id, merchant_id in places
        if (programme := merchants[merchant_id].tiers) is not None
    ]


def expire_request(runtime: Runtime, wallet: DueWallet, as_of: datetime) -> Expire:
    """The expiry of a wallet, where need be of what its holder was told; with tier credits goes what hangs on them."""
    programme = _programme_of(runtime, wallet.currency)
    due: dict[str, Any] = {"holder_id": wallet.holder_id, "currency": wallet.currency, "issuer_id": wallet.issuer_id}
    due |= _by_nobody(as_of)
    due["window"] = window_of(runtime.catalogue, wallet.currency, as_of)
    return Expire(**due) if programme is None else ExpireCredits(programme=programme, **due)


def _by_nobody(as_of: datetime) -> dict[str, Any]:
    """Asking twice is harmless: what was done is not due again."""
    return {"key": None, "client_id": None, "as_of": as_of, "occurred_at": as_of}


def _programme_of(runtime: Runtime, currency: str) -> TierProgramme | None:
    """The tiers that these credits count for."""
    known = runtime.catalogue.currencies.get(currency)
    issuer = None if known is None else runtime.catalogue.merchants_by_id[known.merchant_id]
    tiers = None if issuer is None else issuer.tiers
    return tiers if tiers is not None and tiers.credits == currency else None
