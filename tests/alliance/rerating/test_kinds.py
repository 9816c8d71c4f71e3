"""Lines of every kind at their right price, what became active later, and the job that does it (A11)."""

import uuid
from dataclasses import replace
from datetime import UTC, date, datetime
from fractions import Fraction

import pytest

from alliance.agreements.book import AgreementVersion, EarnTerms, ExchangeTerms, Fee, RedeemTerms, RightTerms
from alliance.approvals.commands import Waiting
from alliance.rerating import commands
from alliance.rerating.rules import Billed, Priced, Terms, Unit, Why, reprice
from domain.programs.catalogue import ByHand
from domain.programs.terms import PendingTerms
from tests.alliance.clearing.test_grants import activate, terms
from tests.alliance.jobs import work_off
from tests.alliance.rerating.test_rerating import ASKING, again, approved, asked, carry_out, corrections, owed
from tests.alliance.support import NOON, House, days
from workers.actors import rerating

GROCER, FUEL, HOUSE, AGREEMENT = (uuid.UUID(int=n) for n in range(1, 5))
ISSUERS = {"GRO": GROCER, "FUE": FUEL, "grocer/car_wash": GROCER}
SHARE = Fee(frozenset({"earn", "redeem", "exchange", "right"}), Fraction(1, 100), 0, "issuer")
FIXED = Fee(frozenset({"right"}), Fraction(0), 250_000, "partner")


def version(number: int, scale: int) -> AgreementVersion:
    """Prices of so many thousandths."""
    place = (FUEL, "GRO")
    price = scale * 1_000
    return AgreementVersion(
        agreement_id=AGREEMENT,
        version=number,
        merchants=(GROCER, FUEL),
        valid_from=datetime(2017, 1, 1, tzinfo=UTC),
        valid_to=None,
        exchange={("GRO", "FUE"): ExchangeTerms("GRO", "FUE", Fraction(1), price * 100, price, 1, 1, None)},
        earn={place: EarnTerms(*place, price * 100, Fraction(1), price, "funder", funding="split", at_use=price // 4)},
        redeem={place: RedeemTerms(*place, price * 100, price)},
        rights=(RightTerms(GROCER, FUEL, "car_wash", price * 500, price * 100),),
        fees=(SHARE, FIXED),
    )


WRONG, RIGHT = version(1, 8), version(2, 10)
TERMS = Terms({1: WRONG, 2: RIGHT}, ISSUERS, RIGHT)


def line(kind: str, debtor: uuid.UUID, creditor: uuid.UUID, points: int, price: int | None, amount: int) -> Billed:
    currency = "grocer/car_wash" if price is None or price > 10_000_000 else "GRO"
    place = (HOUSE, uuid.uuid4(), 0)
    return Billed(place, HOUSE, kind, debtor, creditor, currency, points, price, amount, 1, price, amount)


@pytest.mark.parametrize(
    ("billed", "no_show", "right"),
    [
        (line("EARN", FUEL, GROCER, 10, 600_000, 60_000), False, 75_000),
        (line("FUNDING", FUEL, GROCER, 10, 200_000, 20_000), False, 25_000),
        (line("BREAKAGE", GROCER, FUEL, 10, 600_000, 60_000), False, 75_000),
        (line("SPEND", GROCER, FUEL, -10, 800_000, -80_000), False, -100_000),
        (line("EXCHANGE", GROCER, FUEL, 10, 800_000, 80_000), False, 100_000),
        (line("RIGHT", GROCER, FUEL, 2, 400_000_000, 8_000_000), False, 10_000_000),
        (line("RIGHT", GROCER, FUEL, 1, 80_000_000, 800_000), True, 1_000_000),
    ],
)
def test_a11_each_kind_of_line_at_the_price_of_the_right_version(billed: Billed, no_show: bool, right: int) -> None:
    (found,) = reprice(Unit(no_show, [billed]), TERMS)
    assert (found.amount, found.left) == (right, None)
    assert found.price is not None
    assert found.amount * 100 == billed.points * found.price


def test_a11_fees_on_rights_are_of_each_and_fixed_ones_stay() -> None:
    main = line("RIGHT", GROCER, FUEL, 2, 400_000_000, 8_000_000)
    share = line("FEE", GROCER, HOUSE, 2, None, 80_000)
    fixed = line("FEE", FUEL, HOUSE, 2, None, 500_000)
    back = line("FEE", GROCER, HOUSE, -2, None, -80_000)
    found = [one.amount for one in reprice(Unit(False, [main, share, fixed], [back]), TERMS)]
    assert found == [10_000_000, 100_000, -100_000, 500_000]
    odd = replace(share, amount=80_001, booked=80_001)
    assert [one.amount for one in reprice(Unit(False, [main, odd]), TERMS)] == [10_000_000, 100_001]
    other = replace(fixed, booked=500_001)
    assert [one.left for one in reprice(Unit(False, [main, other]), TERMS)] == [None, Why.FEE]


def test_a11_of_what_no_price_is_said_is_left() -> None:
    spend = line("SPEND", GROCER, FUEL, 10, 800_000, 80_000)
    earn = line("EARN", FUEL, GROCER, 10, 600_000, 60_000)
    said = Terms({1: WRONG}, ISSUERS, prices={(Priced.SPEND, "GRO"): 900_000})
    assert [(one.amount, one.left) for one in reprice(Unit(False, [spend, earn]), said)] == [
        (90_000, None),
        (60_000, Why.NO_PRICE),
    ]


async def test_a11_what_became_active_later_is_of_the_day_of_its_sale(house: House) -> None:
    terms(house, pending=PendingTerms(14))
    member = await house.member()
    earned = await house.earn(member, "fuel", 1_000)
    await activate(house, member, earned, NOON + days(14))
    assert await owed(house) == {("fuel", "grocer"): 9_000_000}
    price = {(Priced.EARN, "GRO"): 800_000}
    rerate_id = await approved(house, asked(house, price, before=date(2017, 6, 2)))
    await carry_out(house, rerate_id)
    assert await owed(house) == {("fuel", "grocer"): 8_000_000}
    await house.reverse(member, earned, as_of=NOON + days(20), occurred_at=NOON + days(20))
    await again(house, rerate_id)
    assert await owed(house) == {("fuel", "grocer"): 0}


async def test_a11_a_re_rating_always_takes_two_people(house: House) -> None:
    """Whatever the alliance file lets one person do alone."""
    catalogue = house.runtime.catalogue
    by_hand = ByHand({commands.ACT: 10**12}, frozenset({commands.ACT}))
    house.runtime.catalogue = replace(catalogue, alliance=replace(catalogue.alliance, by_hand=by_hand))
    member = await house.member()
    await house.earn(member, "grocer", 1_000)
    await house.spend(member, "fuel", 100)
    async with house.runtime.database.transaction() as session:
        price = {(Priced.SPEND, "GRO"): 800_000}
        assert isinstance(await commands.rerate(session, house.runtime, asked(house, price), ASKING), Waiting)


async def test_a11_a_job_does_some_blocks_and_asks_for_the_next(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "BLOCK", 1)
    monkeypatch.setattr(rerating, "BLOCKS", 2)
    member = await house.member()
    await house.earn(member, "grocer", 1_000)
    for _ in range(3):
        await house.spend(member, "fuel", 100)
    await approved(house, asked(house, {(Priced.SPEND, "GRO"): 800_000}))
    done = []
    while await work_off(house, "rerate", rerating.rerate):
        done.append(len(await corrections(house)))
    assert done == [4, 6]
