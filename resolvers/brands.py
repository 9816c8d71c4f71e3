"""What a member has, brand by brand, and where each kind of points is spent."""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from alliance.stored_value.rules import elsewhere
from domain.benefits.model import Right, RightStatus
from domain.ledger.errors import InsufficientPoints, MemberNotActive
from domain.ledger.queries import WalletFigures
from domain.members.model import Membership, MemberStatus
from domain.programs.catalogue import Currency, Merchant, RedemptionTerms
from resolvers import rights, wallets
from resolvers.context import Context
from resolvers.guarding import barred
from resolvers.pages import MOST, Window
from resolvers.reach import sees_currency


@dataclass(slots=True)
class Brand:
    """What a member has of one merchant's: their membership, wallets, and rights that may be used now or later."""

    merchant: Merchant
    membership: Membership | None = None
    wallets: list[WalletFigures] = field(default_factory=list)
    rights: list[Right] = field(default_factory=list)


async def assets(context: Context, holder_id: UUID, merchants: list[str] | None) -> list[Brand]:
    """All of it, by the merchants' codes; a merchant sees its own. As many statements for one brand as for all."""
    found: dict[UUID, Brand] = {}
    catalogue, own = context.runtime.catalogue, context.own_merchant_id
    standing = [RightStatus.VALID, RightStatus.NOT_YET_VALID]
    joined, figures, granted = await asyncio.gather(
        context.loaders.memberships.load(holder_id),
        wallets.of_holder(context, holder_id),
        rights.of_member(context, holder_id, Window(MOST), statuses=standing),
    )

    def brand(merchant_id: UUID) -> Brand:
        return found.setdefault(merchant_id, Brand(catalogue.merchants_by_id[merchant_id]))

    for row in joined:
        brand(row.merchant_id).membership = row
    for one in figures:
        brand(catalogue.currencies[one.currency].merchant_id).wallets.append(one)
    for _, right in granted.rows:
        if own in (None, right.grantor_id):
            brand(right.grantor_id).rights.append(right)
    shown = [one for one in found.values() if merchants is None or one.merchant.code in merchants]
    return sorted(shown, key=lambda one: one.merchant.code)


@dataclass(frozen=True, slots=True)
class Spending:
    """That points of a wallet may be spent at a merchant's, by its own terms or an agreement's, until `changes_on`."""

    figures: WalletFigures
    currency: Currency
    at: Merchant
    terms: RedemptionTerms
    changes_on: datetime | None
    blocked_by: tuple[str, ...]


async def spending(context: Context, holder_id: UUID, currency: str | None, at: str | None) -> list[Spending]:
    """Where a member's points may be spent as of now; of one kind, or at one merchant's, if they are named.

    A merchant sees its own points, wherever they are spent.
    """
    catalogue, book = context.runtime.catalogue, context.runtime.agreements
    member = await context.loaders.members.load(holder_id)
    mine = () if member is None or member.status == MemberStatus.ACTIVE else (MemberNotActive.code,)
    found = []
    for figures in await wallets.of_holder(context, holder_id):
        kind = catalogue.currencies[figures.currency]
        if currency not in (None, kind.code) or kind.kind == "tier_credits":
            continue
        if not sees_currency(context.signed_in, catalogue, kind.code):
            continue
        guarded = await barred(context, holder_id, kind.code)
        terms = kind.policy_at(context.as_of).redemption
        short = (InsufficientPoints.code,) if figures.available < terms.minimum else ()
        for house in catalogue.merchants.values():
            if at not in (None, house.code) or elsewhere(catalogue, house, kind) is not None:
                continue
            until: datetime | None = None
            if house.id != kind.merchant_id:
                version = book.spending(house.id, kind.merchant_id, context.as_of)
                if version is None or (house.id, kind.code) not in version.redeem:
                    continue
                ended = version.valid_to is not None and version.valid_to <= context.as_of
                until = version.runs_off_to if ended else version.valid_to
            found.append(Spending(figures, kind, house, terms, until, (*mine, *guarded, *short)))
    return sorted(found, key=lambda one: (one.currency.code, one.at.id != one.currency.merchant_id, one.at.code))
