"""Stored value (L4): money in minor units. What is sent for it, and what is answered."""

from datetime import datetime
from typing import Self

import strawberry

from alliance.stored_value import queries
from domain.ledger.request import Posted
from schema.answers import operation_of, wallet_now
from schema.enums import Channel
from schema.inputs import DRY_RUN, KEY, OCCURRED_AT, MemberRef, MoneyInput, passed_as_sent
from schema.merchants import Merchant, PointsCurrency
from schema.money import Money
from schema.node import Info
from schema.operations import Operation
from schema.wallets import Wallet


@passed_as_sent
@strawberry.input
class TopUpInput:
    """Money that was paid for stored value. It earns nothing."""

    idempotency_key: str = strawberry.field(description=KEY)
    merchant: str = strawberry.field(description="The code of the issuer, who takes the money.")
    member: MemberRef
    channel: Channel
    store: str | None = strawberry.UNSET
    order_ref: str | None = strawberry.UNSET
    currency: str | None = strawberry.field(
        default=strawberry.UNSET, description="Which stored value: default the merchant's first."
    )
    paid: MoneyInput = strawberry.field(description="Never expires, and may be refunded.")
    bonus: MoneyInput | None = strawberry.field(
        default=strawberry.UNSET, description="Given on top: may expire, and is never refunded."
    )
    occurred_at: datetime | None = strawberry.field(default=strawberry.UNSET, description=OCCURRED_AT)
    dry_run: bool | None = strawberry.field(default=False, description=DRY_RUN)


@passed_as_sent
@strawberry.input
class RefundStoredValueInput:
    """What was paid for and not spent goes back."""

    idempotency_key: str = strawberry.field(description=KEY)
    merchant: str = strawberry.field(description="The code of the issuer, who pays it back.")
    member: MemberRef
    currency: str | None = strawberry.field(
        default=strawberry.UNSET, description="Which stored value: default the merchant's first."
    )
    amount: MoneyInput | None = strawberry.field(default=strawberry.UNSET, description="Default: all that is left.")
    reason: str
    dry_run: bool | None = strawberry.field(default=False, description=DRY_RUN)


def _money(info: Info, currency: str, minor: int) -> Money:
    kind = info.context.runtime.catalogue.currencies[currency]
    return Money.of_minor(minor, kind.policies[0].worth_currency or "")


@strawberry.type(description="Stored value was topped up.")
class ToppedUp:
    """In two lots: the bonus is spent first."""

    posted: strawberry.Private[Posted]
    currency: strawberry.Private[str]

    @strawberry.field(description="What was paid for.")
    def paid(self, info: Info) -> Money:
        """Never expires."""
        return _money(info, self.currency, self.posted.data["paid"])

    @strawberry.field(description="What was given on top.")
    def bonus(self, info: Info) -> Money:
        """May be zero."""
        return _money(info, self.currency, self.posted.data["bonus"])

    @strawberry.field(description="Null for a dry run.")
    def operation(self, info: Info) -> Operation | None:
        """Read now."""
        return operation_of(info, self.posted)

    @strawberry.field(description="The wallet as it stands now; null for points out of reach.")
    async def wallet(self, info: Info) -> Wallet | None:
        """Read now."""
        return await wallet_now(info, self.posted.holder_id, self.currency)

    @classmethod
    def of(cls, posted: Posted, currency: str) -> Self:
        """From what the engine answered."""
        return cls(posted=posted, currency=currency)


@strawberry.type(description="What was paid for was paid back.")
class Refunded:
    """The money itself goes back by the merchant's own means."""

    posted: strawberry.Private[Posted]
    currency: strawberry.Private[str]

    @strawberry.field(description="What is to be paid back.")
    def amount(self, info: Info) -> Money:
        """Of what was paid for."""
        return _money(info, self.currency, self.posted.points)

    @strawberry.field(description="The bonus that went with it, unpaid.")
    def bonus(self, info: Info) -> Money:
        """By the share of the paid value that went."""
        return _money(info, self.currency, self.posted.data["bonus"])

    @strawberry.field(description="Null for a dry run.")
    def operation(self, info: Info) -> Operation | None:
        """Read now."""
        return operation_of(info, self.posted)

    @strawberry.field(description="The wallet as it stands now; null for points out of reach.")
    async def wallet(self, info: Info) -> Wallet | None:
        """Read now."""
        return await wallet_now(info, self.posted.holder_id, self.currency)

    @classmethod
    def of(cls, posted: Posted, currency: str) -> Self:
        """From what the engine answered."""
        return cls(posted=posted, currency=currency)


@strawberry.type(description="What an issuer holds of its members' money, as stored value of one currency.")
class Deposit:
    """outstanding = toppedUp - refunded - spent, of what was paid for: a bonus is in none of it."""

    row: strawberry.Private[queries.Deposit]
    wallets: int = strawberry.field(description="Wallets with some of it.")

    @strawberry.field(description="The issuer.")
    def merchant(self, info: Info) -> Merchant:
        """From the catalogue."""
        return Merchant.of(info.context.runtime.catalogue.merchants_by_id[self.row.merchant_id])

    @strawberry.field(description="The stored value.")
    def currency(self, info: Info) -> PointsCurrency:
        """From the catalogue."""
        return PointsCurrency.of(info.context.runtime.catalogue.currencies[self.row.currency])

    @strawberry.field(description="Taken in, since ever.")
    def topped_up(self, info: Info) -> Money:
        """Without bonus."""
        return _money(info, self.row.currency, self.row.topped_up)

    @strawberry.field(description="Paid back, reversed top ups among it.")
    def refunded(self, info: Info) -> Money:
        """Since ever."""
        return _money(info, self.row.currency, self.row.refunded)

    @strawberry.field(description="Spent, less what came back.")
    def spent(self, info: Info) -> Money:
        """Since ever."""
        return _money(info, self.row.currency, self.row.spent)

    @strawberry.field(description="What members may still spend or ask back.")
    def outstanding(self, info: Info) -> Money:
        """What has to be kept safe."""
        return _money(info, self.row.currency, self.row.outstanding)

    @classmethod
    def of(cls, row: queries.Deposit) -> Self:
        """From the ledger."""
        return cls(row=row, wallets=row.wallets)
