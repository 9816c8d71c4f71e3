"""What an operation makes owed, and who pays for points; as far as the viewer is concerned (A14)."""

from decimal import Decimal as Number
from typing import Self
from uuid import UUID

import strawberry

from alliance.clearing.model import ObligationKind
from alliance.clearing.preview import Line, Share
from alliance.statements.rules import price
from domain.ledger.request import Posted
from domain.programs.counting import counted
from resolvers import preview
from schema.merchants import Merchant, PointsCurrency
from schema.money import Money
from schema.node import Info
from schema.scalars import Decimal, Points

OBLIGATIONS = "What it makes owed, or for a dry run would: to a merchant, the lines that it is a party to."


@strawberry.type(description="What one party owes another for an operation. A party that is null is the operator.")
class OwedLine:
    """Points times price, to the millionth; below zero where it is given back."""

    kind: ObligationKind
    debtor: Merchant | None
    creditor: Merchant | None
    currency: PointsCurrency
    points: Points
    price: Decimal | None = strawberry.field(description="For a point; null for a fee.")
    amount: Money
    agreement_version: int
    waits: bool = strawberry.field(description="Not owed before points that wait become active.")

    @classmethod
    def of(cls, info: Info, line: Line) -> Self:
        """From what clearing says."""
        catalogue, owed = info.context.runtime.catalogue, line.owed
        return cls(
            kind=owed.kind,
            debtor=_party(info, owed.debtor_id),
            creditor=_party(info, owed.creditor_id),
            currency=PointsCurrency.of(counted(catalogue, owed.currency)),
            points=Points(owed.points),
            price=None if owed.price is None else Decimal(price(owed.price)),
            amount=Money.of_micro(owed.amount, catalogue.alliance.settlement_currency),
            agreement_version=owed.agreement_version,
            waits=line.waits,
        )


@strawberry.type(description="What a merchant pays for points that are granted. The shares sum to 1.")
class FundingShare:
    """Nothing is owed by the issuer to itself."""

    merchant: Merchant
    share: Decimal
    amount: Money | None = strawberry.field(description="If all of them are spent; null for their issuer.")
    at_issue: Money | None = strawberry.field(description="Of that, what is owed at once; the rest as they are spent.")

    @classmethod
    def of(cls, info: Info, share: Share) -> Self:
        """From what clearing says."""
        catalogue = info.context.runtime.catalogue
        part = share.share
        return cls(
            merchant=Merchant.of(catalogue.merchants_by_id[share.merchant_id]),
            share=Decimal(f"{part.numerator / Number(part.denominator):f}"),
            amount=_money(info, share.amount),
            at_issue=_money(info, share.at_issue),
        )


async def obligations_of(info: Info, posted: Posted) -> list[OwedLine]:
    """Of an answer."""
    return [OwedLine.of(info, line) for line in await preview.obligations(info.context, posted)]


def funding_of(info: Info, posted: Posted, currency: str) -> list[FundingShare] | None:
    """Of a dry run's answer."""
    shares = preview.funding(info.context, posted, info.context.runtime.catalogue.currencies[currency])
    return None if shares is None else [FundingShare.of(info, share) for share in shares]


async def contribution_of(info: Info, posted: Posted, currency: str) -> Money | None:
    """Of an answer."""
    found = await preview.contribution(info.context, posted, info.context.runtime.catalogue.currencies[currency])
    return _money(info, found)


def _money(info: Info, amount: int | None) -> Money | None:
    currency = info.context.runtime.catalogue.alliance.settlement_currency
    return None if amount is None else Money.of_micro(amount, currency)


def _party(info: Info, party: UUID) -> Merchant | None:
    row = info.context.runtime.catalogue.merchants_by_id.get(party)
    return None if row is None else Merchant.of(row)
