"""The agreements in force, read once and kept in memory, their terms as numbers.

Prices are in 10^-8 of the settlement currency a point; `owed` is what one point makes one merchant owe the other, in
millionths, and exact: the alliance file is refused otherwise.
"""

import uuid
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction
from typing import Any, Literal

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.agreements.model import COUNTING, AgreementRow, AgreementVersionRow
from alliance.agreements.rules import runs_off_to
from domain.money import MICRO, PRICE, scaled
from domain.programs.catalogue import MICRO_PLACES, PRICE_PLACES, Alliance, alliance_of
from domain.programs.model import AllianceRow, MerchantRow

Event = Literal["earn", "redeem", "exchange", "right"]


@dataclass(frozen=True, slots=True)
class ExchangeTerms:
    """Points of `source` become `target` at `rate` (points in a point out): at least `block`, then in steps of `step`.

    The issuer of `source` owes the issuer of `target` `owed` a point out. Members exchange so at most `per_day` times a
    day, and not before they have been members for `wait_days`.
    """

    source: str
    target: str
    rate: Fraction
    clearing_value: int
    owed: int
    block: int
    step: int
    daily_cap_per_member: int | None
    per_day: int | None = None
    wait_days: int = 0
    daily_cap: int | None = None
    fee_share: Fraction = Fraction(0)
    fee_points: int = 0

    def fee(self, exchanged: int) -> int:
        """What the exchange of so many points costs the member, in the same points."""
        return self.fee_points + int(exchanged * self.fee_share)


@dataclass(frozen=True, slots=True)
class EarnTerms:
    """Merchant `at` may grant `currency`, another's; of the issue price it pays `share`, which is `owed` a point.

    Of that, `at_use` is paid when the point is spent, the rest when it is issued. When a point ends unspent the funder
    is paid back the rest (`breakage_to` "funder"), or pays `at_use` all the same ("issuer"), or each keeps what it has.
    """

    at: uuid.UUID
    currency: str
    issue_price: int
    share: Fraction
    owed: int
    breakage_to: Literal["issuer", "funder"] | None
    shortfall_to: Literal["earner", "issuer"] = "earner"
    funding: Literal["at_issue", "at_redemption", "split"] = "at_issue"
    at_use: int = 0

    @property
    def at_issue(self) -> int:
        """What is owed of a point when it becomes active."""
        return self.owed - self.at_use

    @property
    def at_end(self) -> int:
        """What the funder owes of a point when it ends unspent; below zero it is paid back."""
        if self.breakage_to == "funder":
            return -self.at_issue
        return self.at_use if self.breakage_to == "issuer" else 0

    @property
    def settles_later(self) -> bool:
        """Whether anything moves after the issue."""
        return bool(self.at_use or self.at_end)


@dataclass(frozen=True, slots=True)
class RedeemTerms:
    """`currency` may be spent at merchant `at`, whom its issuer then owes `owed` a point; once the issuer is past its
    reserve (A5), as `past_reserve` says."""

    at: uuid.UUID
    currency: str
    redemption_price: int
    owed: int
    past_reserve: Literal["accept", "refuse"] = "accept"


@dataclass(frozen=True, slots=True)
class RightTerms:
    """What the grantor of a right owes merchant `at` for its use, and for not showing up; in millionths."""

    grantor: uuid.UUID
    at: uuid.UUID
    kind: str
    price: int
    no_show: int


@dataclass(frozen=True, slots=True)
class Fee:
    """What the operator takes of each event: a `share` of what is owed, or `amount` millionths an event."""

    events: frozenset[Event]
    share: Fraction
    amount: int
    payer: Literal["issuer", "partner"]


@dataclass(frozen=True, slots=True)
class AgreementVersion:
    """One version in force, with its terms by what they are looked up with.

    Points may still be spent by it until `runs_off_to`, where no other follows. `subsidies` are the budgets up to which
    issuers accept to get less for points than they pay, by currency, in millionths.
    """

    agreement_id: uuid.UUID
    version: int
    merchants: tuple[uuid.UUID, uuid.UUID]
    valid_from: datetime
    valid_to: datetime | None
    exchange: Mapping[tuple[str, str], ExchangeTerms]
    earn: Mapping[tuple[uuid.UUID, str], EarnTerms]
    redeem: Mapping[tuple[uuid.UUID, str], RedeemTerms]
    rights: tuple[RightTerms, ...]
    fees: tuple[Fee, ...]
    runs_off_to: datetime | None = None
    subsidies: Mapping[str, int] = field(default_factory=dict)

    def fee_on(self, event: Event) -> tuple[Fee, ...]:
        """The fees that `event` costs."""
        return tuple(fee for fee in self.fees if event in fee.events)


@dataclass(frozen=True, slots=True)
class AgreementBook:
    """All versions in force, by pair of merchants; `subsidised`: whether any has, or had, a subsidy."""

    pairs: Mapping[frozenset[uuid.UUID], tuple[AgreementVersion, ...]]
    subsidised: bool = field(init=False)
    _paying: dict[str, list[tuple[int, AgreementVersion]]] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        found = any(version.subsidies for versions in self.pairs.values() for version in versions)
        object.__setattr__(self, "subsidised", found)

    def dearest(self, currency: str, moment: datetime) -> int:
        """The most that the issuer of `currency` pays anyone for a point at `moment`, in millionths (A3 c)."""
        if currency not in self._paying:
            every = [version for versions in self.pairs.values() for version in versions]
            paying = [(item.owed, one) for one in every for item in one.redeem.values() if item.currency == currency]
            paying += [(item.owed, one) for one in every for item in one.exchange.values() if item.source == currency]
            self._paying[currency] = sorted(paying, key=lambda pair: pair[0], reverse=True)
        for owed, version in self._paying[currency]:
            if version.valid_from <= moment and (version.valid_to is None or moment < version.valid_to):
                return owed
        return 0

    def between(self, one: uuid.UUID, other: uuid.UUID, moment: datetime) -> AgreementVersion | None:
        """The version between two merchants, in whichever order, at `moment`."""
        for version in self.pairs.get(frozenset((one, other)), ()):
            if version.valid_from <= moment and (version.valid_to is None or moment < version.valid_to):
                return version
        return None

    def spending(self, one: uuid.UUID, other: uuid.UUID, moment: datetime) -> AgreementVersion | None:
        """The version by which points are spent at `moment`: the one in force, or else the one that runs off (A12)."""
        found = self.between(one, other, moment)
        if found is not None:
            return found
        for version in self.pairs.get(frozenset((one, other)), ()):
            if version.valid_to is not None and version.valid_from < version.valid_to <= moment:
                runs_off = version.runs_off_to is not None and moment < version.runs_off_to
                return version if runs_off else None
        return None

    def since(
        self, one: uuid.UUID, other: uuid.UUID, version: AgreementVersion, until: datetime
    ) -> list[AgreementVersion]:
        """The versions between two merchants that came into force after `version`, up to `until`."""
        pair = self.pairs.get(frozenset((one, other)), ())
        return [later for later in pair if version.valid_from < later.valid_from <= until]


async def load_book(session: AsyncSession) -> AgreementBook:
    """Read every version that is in force, will be, or was."""
    alliance = await session.scalar(select(AllianceRow))
    if alliance is None:
        return AgreementBook({})
    house = alliance_of(alliance)
    codes = {row.code: row.id for row in await session.execute(select(MerchantRow.code, MerchantRow.id))}
    rows = await session.execute(
        select(AgreementRow, AgreementVersionRow)
        .join(AgreementVersionRow, AgreementVersionRow.agreement_id == AgreementRow.id)
        .where(AgreementVersionRow.status.in_(COUNTING))
        .order_by(AgreementVersionRow.valid_from.desc())
    )
    pairs: dict[frozenset[uuid.UUID], list[AgreementVersion]] = defaultdict(list)
    for agreement, version in rows:
        pairs[frozenset((agreement.merchant_a, agreement.merchant_b))].append(
            _version(agreement, version, codes, house)
        )
    return AgreementBook({pair: tuple(versions) for pair, versions in pairs.items()})


def _version(
    agreement: AgreementRow, row: AgreementVersionRow, codes: Mapping[str, uuid.UUID], house: Alliance
) -> AgreementVersion:
    terms = row.terms
    exchange = [_exchange(item) for item in terms["exchange"]]
    earn = [earn_terms(item, codes) for item in terms["earn"]]
    redeem = [_redeem(item, codes) for item in terms["redeem"]]
    return AgreementVersion(
        agreement_id=row.agreement_id,
        version=row.version,
        merchants=(agreement.merchant_a, agreement.merchant_b),
        valid_from=row.valid_from,
        valid_to=row.valid_to,
        exchange={(item.source, item.target): item for item in exchange},
        earn={(item.at, item.currency): item for item in earn},
        redeem={(item.at, item.currency): item for item in redeem},
        rights=tuple(_right(item, codes) for item in terms["rights"]),
        fees=tuple(_fee(item) for item in terms["fees"]),
        runs_off_to=None if row.valid_to is None else runs_off_to(row.valid_to, terms, house),
        subsidies={item["of"]: _micro(item["budget"]) for item in terms.get("subsidies", ())},
    )


def _exchange(item: dict[str, Any]) -> ExchangeTerms:
    price = _price(item["clearingValue"])
    return ExchangeTerms(
        source=item["from"],
        target=item["to"],
        rate=Fraction(item["rate"]),
        clearing_value=price,
        owed=_owed(price, Fraction(1)),
        block=item["block"],
        step=item["step"],
        daily_cap_per_member=item.get("dailyCapPerMember"),
        per_day=item.get("perDay"),
        wait_days=item.get("waitDays", 0),
        daily_cap=item.get("dailyCap"),
        fee_share=Fraction(item.get("fee", {}).get("share", 0)),
        fee_points=item.get("fee", {}).get("points", 0),
    )


def earn_terms(item: dict[str, Any], codes: Mapping[str, uuid.UUID]) -> EarnTerms:
    """The terms of an `earn` of an agreement, as they are stored; `codes` are the ids of merchants."""
    price, share, funding = _price(item["issuePrice"]), Fraction(item["share"]), item["funding"]
    at_issue = Fraction({"at_issue": 1, "at_redemption": 0}.get(funding) or item.get("atIssue", 0))
    return EarnTerms(
        at=codes[item["at"]],
        currency=item["of"],
        issue_price=price,
        share=share,
        owed=_owed(price, share),
        breakage_to=item.get("breakageTo"),
        shortfall_to=item.get("shortfallTo", "earner"),
        funding=funding,
        at_use=_owed(price, share * (1 - at_issue)),
    )


def _redeem(item: dict[str, Any], codes: Mapping[str, uuid.UUID]) -> RedeemTerms:
    price = _price(item["redemptionPrice"])
    past_reserve = item.get("pastReserve", "accept")
    return RedeemTerms(codes[item["at"]], item["of"], price, _owed(price, Fraction(1)), past_reserve)


def _right(item: dict[str, Any], codes: Mapping[str, uuid.UUID]) -> RightTerms:
    price = _micro(item["price"])
    no_show = _micro(item["noShow"]) if "noShow" in item else 0
    return RightTerms(codes[item["grantor"]], codes[item["at"]], item["kind"], price, no_show)


def _fee(item: dict[str, Any]) -> Fee:
    amount = _micro(item["amount"]) if "amount" in item else 0
    return Fee(frozenset(item["for"]), Fraction(item.get("share", 0)), amount, item["payer"])


def _micro(money: dict[str, str]) -> int:
    return scaled(money["amount"], MICRO_PLACES)


def _price(money: dict[str, str]) -> int:
    return scaled(money["amount"], PRICE_PLACES)


def _owed(price: int, share: Fraction) -> int:
    """Millionths a point. Raises ValueError if that is no whole number."""
    owed = price * share * Fraction(MICRO, PRICE)
    if owed.denominator != 1:
        raise ValueError(f"{price} at {share} is not a whole number of millionths")
    return owed.numerator
