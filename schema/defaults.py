"""Defaults, and what is deposited against them (A12, A16): what is sent, seen and answered."""

from datetime import datetime
from typing import Annotated, Any, Self, cast

import strawberry

from alliance.defaults.commands import Assessed
from alliance.defaults.deposits import Deposit
from alliance.defaults.model import DefaultShare as ShareRow
from alliance.defaults.model import MerchantDefault as DefaultRow
from alliance.defaults.model import Recovery as RecoveryRow
from alliance.treasury.model import MoneyAccount as AccountKind
from resolvers import defaults, ids
from resolvers.pages import window
from schema.answering import Shared, answer
from schema.approvals import Approval
from schema.default_policies import DEFAULTS
from schema.inputs import KEY, MoneyInput, passed_as_sent
from schema.merchants import Merchant
from schema.money import Money
from schema.node import FETCHED, Connection, Info, Node
from schema.receipts import NotEnoughMoney
from schema.refusals import TYPES, LaterCycleStated, UserError, WrongCycleStatus

strawberry.enum(Deposit, name="DepositKind", description="What a merchant deposits money for.")
strawberry.enum(
    AccountKind,
    name="MoneyAccountKind",
    description="BANK is what lies there; all others say whose it is, and for what.",
)


def _money(info: Info, minor: int) -> Money:
    return Money.of_minor(minor, info.context.runtime.catalogue.alliance.settlement_currency)


def _merchant(info: Info, party: Any) -> Merchant | None:
    row = info.context.runtime.catalogue.merchants_by_id.get(party)
    return None if row is None else Merchant.of(row)


@strawberry.type(description="What a default is to another party. `merchant` is null for the operator.")
class DefaultShare:
    """Another merchant sees its own alone."""

    merchant: Merchant | None
    claim: Money = strawberry.field(description="What it was owed in the cycle, pair by pair.")
    fund: Money = strawberry.field(description="What was taken of its part of the guarantee fund.")
    loss: Money = strawberry.field(description="What it bears.")
    repaid: Money = strawberry.field(description="What came back of that.")
    honoured: Money = strawberry.field(description="What the reserve paid it for points taken since.")

    @classmethod
    def of(cls, info: Info, row: ShareRow) -> Self:
        """From a row."""
        figures = {name: _money(info, getattr(row, name)) for name in ("claim", "fund", "loss", "repaid", "honoured")}
        return cls(merchant=_merchant(info, row.merchant_id), **figures)


@strawberry.type(description="Money of a merchant in default that came later, and where it went.")
class Recovery:
    """The reverse of the waterfall."""

    amount: Money
    losses: Money
    reserve: Money
    fund: Money
    collateral: Money
    kept: Money = strawberry.field(description="More than was owed: the merchant's own.")
    recorded_at: datetime
    reason: str

    @classmethod
    def of(cls, info: Info, row: RecoveryRow) -> Self:
        """From a row."""
        names = ("amount", "losses", "reserve", "fund", "collateral", "kept")
        figures = {name: _money(info, getattr(row, name)) for name in names}
        return cls(recorded_at=row.as_of, reason=row.why, **figures)


@strawberry.type(
    description="What a missing pay-in is covered by, in this order; what is left is borne as `shares` say."
)
class Waterfall:
    """`missing` = `debts` - `claims` - `received`."""

    debts: Money = strawberry.field(description="What it owes the others of the cycle, pair by pair.")
    claims: Money = strawberry.field(description="What they owe it, set off first.")
    received: Money = strawberry.field(description="What it has paid, or carried on.")
    missing: Money
    collateral: Money
    own_fund: Money = strawberry.field(description="Its own part of the guarantee fund.")
    fund: Money = strawberry.field(description="The others' parts, in proportion.")
    loss: Money

    @classmethod
    def of(cls, info: Info, row: Any) -> Self:
        """From a default, or from what one would be."""
        names = ("debts", "claims", "received", "missing", "collateral", "own_fund", "loss")
        figures = {name: _money(info, getattr(row, name)) for name in names}
        fund = row.fund if isinstance(row.fund, int) else sum(row.fund.values())
        return cls(fund=_money(info, fund), **figures)


@strawberry.type(description="What a default would be if it were declared now.")
class DefaultPreview:
    """Nothing is written."""

    waterfall: Waterfall
    shares: list[DefaultShare]
    grace_until: datetime = strawberry.field(description="Before that it cannot be declared.")

    @classmethod
    def of(cls, info: Info, found: Assessed) -> Self:
        """From what was worked out."""
        fund, losses = found.waterfall.fund, found.waterfall.losses
        rows = [
            ShareRow(merchant_id=party, claim=max(0, found.nets.get(party, 0)), repaid=0, honoured=0)
            for party in sorted({*fund, *losses})
        ]
        for row in rows:
            row.fund, row.loss = fund.get(row.merchant_id, 0), losses.get(row.merchant_id, 0)
        shares = [DefaultShare.of(info, row) for row in rows]
        return cls(waterfall=Waterfall.of(info, found.waterfall), shares=shares, grace_until=found.grace_until)


@strawberry.type(description="That a merchant's pay-in of a cycle stayed away and it was declared in default.")
class MerchantDefault(Node):
    """Other merchants see whose it was, and their own share."""

    merchant: Merchant | None
    declared_at: datetime
    honoured_until: datetime = strawberry.field(description="Until when the reserve pays who takes its points.")
    ended_at: datetime | None = strawberry.field(description="When the merchant took part again.")
    row: strawberry.Private[DefaultRow]

    @strawberry.field(description="The cycle, by its number.")
    async def cycle(self, info: Info) -> int:
        """Everybody knows it."""
        found = await info.context.loaders.cycles.load(self.row.cycle_id)
        return 0 if found is None else found.number

    @strawberry.field(description="Why it was declared; null for other merchants.")
    def reason(self, info: Info) -> str | None:
        """As it was said."""
        return self.row.why if defaults.all_of(info.context, self.row) else None

    @strawberry.field(description="What covered it; null for other merchants.")
    def waterfall(self, info: Info) -> Waterfall | None:
        """As it was booked."""
        return Waterfall.of(info, self.row) if defaults.all_of(info.context, self.row) else None

    @strawberry.field(description="What it is to others; to another merchant its own alone.")
    async def shares(self, info: Info) -> list[DefaultShare]:
        """At most one a merchant."""
        return [DefaultShare.of(info, row) for row in await defaults.shares(info.context, self.row)]

    @strawberry.field(description="What came back, in order; nothing for other merchants.")
    async def recoveries(self, info: Info) -> list[Recovery]:
        """As it was recorded."""
        return [Recovery.of(info, row) for row in await defaults.recoveries(info.context, self.row)]

    @classmethod
    def of(cls, info: Info, row: DefaultRow) -> Self:
        """From a row."""
        return cls(
            id=strawberry.ID(ids.encode("MerchantDefault", row.id)),
            merchant=_merchant(info, row.merchant_id),
            declared_at=row.declared_at,
            honoured_until=row.honoured_until,
            ended_at=row.ended_at,
            row=row,
        )


async def _fetch(info: Info, global_id: str) -> MerchantDefault | None:
    found = await defaults.load(info.context, ids.decode_as("MerchantDefault", global_id, 1)[0])
    return None if found is None else MerchantDefault.of(info, found)


FETCHED["MerchantDefault"] = (DEFAULTS, _fetch)


@strawberry.type(description="Money that lies with the alliance. `merchant` is null for its own.")
class MoneyAccount:
    """What belongs to a merchant is above zero."""

    merchant: Merchant | None
    account: AccountKind
    balance: Money
    promised: Money | None = strawberry.field(description="What the alliance file says it deposits.")

    @classmethod
    def of(cls, info: Info, row: defaults.Lies) -> Self:
        """From a balance."""
        currency = info.context.runtime.catalogue.alliance.settlement_currency
        theirs = row.account not in (AccountKind.BANK, AccountKind.LOSS, AccountKind.CHARGES)
        return cls(
            merchant=_merchant(info, row.party),
            account=row.account,
            balance=_money(info, -row.amount if theirs else row.amount),
            promised=None if row.promised is None else Money.of_micro(row.promised, currency),
        )


@strawberry.type(description="Nothing that the merchant was to pay in that cycle is missing.")
class PayInNotMissing(UserError):
    """Or it is not due yet."""

    merchant: str
    number: int
    own = ("merchant", "number")


@strawberry.type(description="What is missing may still be paid.")
class GraceNotOver(UserError):
    """See `graceDays` in the alliance file."""

    until: datetime
    own = ("until",)


@strawberry.type(description="Of what others lost, something has not been repaid.")
class DefaultNotRepaid(UserError):
    """In the settlement currency."""

    missing: str
    own = ("missing",)


@strawberry.type(description="What is deposited is needed.")
class DepositNeeded(UserError):
    """In the settlement currency."""

    releasable: str
    own = ("releasable",)


@strawberry.type(description="The merchant is in default, and its points are taken at its own tills alone.")
class PointsNotHonoured(UserError):
    """Until it is restored."""

    merchant: str
    own = ("merchant",)


_REFUSALS = (PayInNotMissing, GraceNotOver, DefaultNotRepaid, DepositNeeded, PointsNotHonoured)
TYPES |= {kind.__name__: kind for kind in _REFUSALS}


@passed_as_sent
@strawberry.input
class DeclareDefaultInput:
    """Who did not pay, in which cycle."""

    idempotency_key: str = strawberry.field(description=KEY)
    merchant: str = strawberry.field(description="Its code.")
    cycle: strawberry.ID
    reason: str = strawberry.field(description="Kept, for the merchant to read.")
    net_again: bool = strawberry.field(
        default=False, description="Net the cycle again without it, where that is agreed and nothing was paid yet."
    )
    dry_run: bool = False


@passed_as_sent
@strawberry.input
class RecordRecoveryInput:
    """What came of a default."""

    idempotency_key: str = strawberry.field(description=KEY)
    default: strawberry.ID
    amount: MoneyInput
    reason: str


@passed_as_sent
@strawberry.input
class DepositInput:
    """Whose money, for what, how much."""

    idempotency_key: str = strawberry.field(description=KEY)
    merchant: str = strawberry.field(description="Its code.")
    account: Deposit | None = strawberry.field(
        default=strawberry.UNSET, description="COLLATERAL unless it is for the guarantee fund or the honouring reserve."
    )
    amount: MoneyInput
    reason: str


@passed_as_sent
@strawberry.input
class DrawCollateralInput:
    """Whose collateral pays what it is late with, in which cycle."""

    idempotency_key: str = strawberry.field(description=KEY)
    merchant: str = strawberry.field(description="Its code.")
    cycle: strawberry.ID
    amount: MoneyInput
    reason: str


@strawberry.type(description="The default is declared; or it waits for a second person; or this is what it would be.")
class DefaultDeclared:
    """One of the three."""

    default: MerchantDefault | None
    preview: DefaultPreview | None
    approval: Approval | None


@strawberry.type(description="It was shared out; or it waits for a second person.")
class RecoveryRecorded:
    """One of the two."""

    default: MerchantDefault | None
    approval: Approval | None


@strawberry.type(description="The money was moved, if `approval` is null; else that waits for a second person.")
class DepositMoved:
    """`accounts` is what lies there of the merchant now."""

    merchant: Merchant
    approval: Approval | None

    @strawberry.field(description="What lies with the alliance of this merchant now.")
    async def accounts(self, info: Info) -> list[MoneyAccount]:
        """At most one of each kind."""
        page = await defaults.accounts(info.context, window(defaults.ACCOUNTS_SHAPE, 100), self.merchant.code)
        return [MoneyAccount.of(info, row) for _, row in page.rows]


DeclareDefaultResult = Annotated[
    DefaultDeclared | Shared | WrongCycleStatus | LaterCycleStated | PayInNotMissing | GraceNotOver,
    strawberry.union("DeclareDefaultResult"),
]
RecordRecoveryResult = Annotated[RecoveryRecorded | Shared, strawberry.union("RecordRecoveryResult")]
PostCollateralResult = Annotated[DepositMoved | Shared, strawberry.union("PostCollateralResult")]
ReleaseCollateralResult = Annotated[
    DepositMoved | Shared | DepositNeeded | NotEnoughMoney, strawberry.union("ReleaseCollateralResult")
]
DrawCollateralResult = Annotated[
    DepositMoved | Shared | WrongCycleStatus | PayInNotMissing | NotEnoughMoney,
    strawberry.union("DrawCollateralResult"),
]


@strawberry.type
class DefaultQueries:
    """A merchant sees its own side."""

    @strawberry.field(description="Defaults, newest first: for a merchant its own, and those that it has a share of.")
    async def defaults(
        self,
        info: Info,
        merchant: str | None = None,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
    ) -> Connection[MerchantDefault]:
        """Forwards."""
        asked = window(defaults.SHAPE, first, after, last, before)
        page = await defaults.listed(info.context, asked, merchant)
        return Connection[MerchantDefault].of(page, lambda row: MerchantDefault.of(info, row))

    @strawberry.field(description="Money that lies with the alliance, by merchant; a merchant's own.")
    async def money_accounts(
        self, info: Info, merchant: str | None = None, first: int | None = None, after: str | None = None
    ) -> Connection[MoneyAccount]:
        """With what was promised and not brought."""
        asked = window(defaults.ACCOUNTS_SHAPE, first, after)
        page = await defaults.accounts(info.context, asked, merchant)
        return Connection[MoneyAccount].of(page, lambda row: MoneyAccount.of(info, row))


@strawberry.type
class DefaultMutations:
    """The operator's; beyond what one may do alone, a second person approves."""

    @strawberry.mutation(description="Declare that a merchant's pay-in of a cycle stays away, after the days of grace.")
    async def declare_default(self, info: Info, input: DeclareDefaultInput) -> DeclareDefaultResult | None:
        """A dry run says who would bear what."""
        found = await answer(info, input, defaults.declare)
        if isinstance(found, UserError):
            return cast("Any", found)
        return DefaultDeclared(
            default=None if found.default is None else MerchantDefault.of(info, found.default),
            preview=None if found.preview is None else DefaultPreview.of(info, found.preview),
            approval=_approval(found),
        )

    @strawberry.mutation(description="Record money that came of a merchant in default, and share it out.")
    async def record_recovery(self, info: Info, input: RecordRecoveryInput) -> RecordRecoveryResult | None:
        """Survivors first."""
        found = await answer(info, input, defaults.recover)
        if isinstance(found, UserError):
            return cast("Any", found)
        default = None if found.default is None else MerchantDefault.of(info, found.default)
        return RecoveryRecorded(default=default, approval=_approval(found))

    @strawberry.mutation(description="Record that a merchant brought collateral, or money for the fund or the reserve.")
    async def post_collateral(self, info: Info, input: DepositInput) -> PostCollateralResult | None:
        """As it came to the bank."""
        return cast("Any", _moved(await answer(info, input, defaults.post)))

    @strawberry.mutation(description="Give a merchant back what is not needed of its collateral, fund or reserve.")
    async def release_collateral(self, info: Info, input: DepositInput) -> ReleaseCollateralResult | None:
        """As it left the bank."""
        return cast("Any", _moved(await answer(info, input, defaults.release)))

    @strawberry.mutation(description="Pay what a merchant is late with in a cycle from its collateral.")
    async def draw_collateral(self, info: Info, input: DrawCollateralInput) -> DrawCollateralResult | None:
        """It is not in default for that."""
        return cast("Any", _moved(await answer(info, input, defaults.draw)))


def _approval(found: defaults.Outcome) -> Approval | None:
    return None if found.approval is None else Approval.of(found.approval)


def _moved(found: defaults.Outcome | UserError) -> DepositMoved | UserError:
    if isinstance(found, UserError):
        return found
    assert found.merchant is not None
    return DepositMoved(merchant=Merchant.of(found.merchant), approval=_approval(found))
