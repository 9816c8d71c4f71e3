"""What the end of a dispute does to the books (A10): nothing is left in suspense, what was accepted is corrected."""

import asyncio
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, text

from alliance.defaults.deposits import Deposit, releasable
from alliance.disputes.claims import ClaimAsked, raise_claims
from alliance.disputes.commands import object_to_lines
from alliance.disputes.deciding import apply_silences, take_step
from alliance.disputes.errors import (
    AnswerTooLate,
    ClaimTooEarly,
    ClaimTooLarge,
    ClaimTooLate,
    LineInDispute,
    ObjectionLimitExceeded,
    WrongClaimStatus,
)
from alliance.disputes.life import Move
from alliance.disputes.model import ClaimCode, Dispute, ObjectionReason
from alliance.disputes.rules import Objected, Place
from alliance.disputes.verify import CHECKS
from alliance.exposure.freezing import freeze, restore
from alliance.settlement import queries
from alliance.settlement.model import SettlementCycle
from alliance.treasury.commands import post
from alliance.treasury.model import MoneyAccount
from alliance.verify import verify
from domain.errors import IdempotencyConflict, InvalidInput, NotAllowed, NotFound, Refusal
from tests.alliance.exposure.support import cap, limits, used
from tests.alliance.support import NOON, WHO, House

LATER = NOON + timedelta(days=40)
"""After any deadline of an answer."""


@dataclass(slots=True)
class Desk:
    """Ten spends of 9.00 that the grocer owes the filling station, and what the two say about them."""

    house: House
    places: list[Place]
    cycle: SettlementCycle

    @classmethod
    async def stated(cls, house: House) -> "Desk":
        """Spent, closed, stated."""
        member = await house.member()
        await house.earn(member, "grocer", 10_000)
        await asyncio.gather(*(house.spend(member, "fuel", 1_000) for _ in range(10)))
        places = [(row.holder_id, row.operation_id, row.seq) for row in await house.obligations()]
        return cls(house, places, await house.step("issue_statements", await house.close()))

    @classmethod
    async def settled(cls, house: House) -> "Desk":
        """And paid."""
        desk = await cls.stated(house)
        await desk.pay()
        return desk

    async def pay(self) -> None:
        """Confirm, net, settle, receive."""
        for step in ("confirm_statement", "net_cycle", "settle_cycle", "record_receipts"):
            self.cycle = await self.house.step(step, self.cycle)
            if self.cycle.status == "SETTLED":
                break

    async def object(self, *objections: Objected, by: str = "grocer") -> list[Dispute]:
        """Object to lines; the disputes."""
        alliance = self.house.runtime.catalogue.alliance
        async with self.house.runtime.database.transaction() as session:
            about = {"merchant_id": self.house.id(by), "who": WHO, "as_of": NOON}
            await object_to_lines(session, alliance, self.cycle.id, objections, **about)
        async with self.house.runtime.database.session() as session:
            return list(await session.scalars(select(Dispute).order_by(Dispute.id)))

    async def claim(self, *asked: ClaimAsked, by: str = "grocer", **named: Any) -> Sequence[Dispute | Refusal]:
        """Claim, one answer each."""
        about = {"merchant_id": self.house.id(by), "who": WHO, "as_of": NOON} | named
        async with self.house.runtime.database.transaction() as session:
            return await raise_claims(session, self.house.runtime.catalogue.alliance, asked, **about)

    def of(self, line: int, amount: int | None = 9_000_000, **named: Any) -> ClaimAsked:
        """On a line."""
        about: dict[str, Any] = {"code": ClaimCode.OTHER, "text": "never sold"} | named
        return ClaimAsked(self.places[line], self.house.id("fuel"), amount, **about)

    async def step(
        self, dispute: Dispute | Refusal, by: str, move: Move, amount: int | None = None, **named: Any
    ) -> Dispute:
        """A step of a party, or of the operator."""
        assert isinstance(dispute, Dispute)
        about = {"who": WHO, "as_of": NOON, "text": "because", "amount": amount} | named
        about["party_id"] = self.house.id(by)
        async with self.house.runtime.database.transaction() as session:
            return await take_step(session, self.house.runtime.catalogue.alliance, dispute.id, move, **about)

    async def silence(self, as_of: Any = LATER) -> int:
        """What the calendar does at that moment."""
        async with self.house.runtime.database.transaction() as session:
            return await apply_silences(session, self.house.runtime.catalogue.alliance, as_of)

    async def suspense(self) -> int:
        """What lies in it."""
        async with self.house.runtime.database.session() as session:
            query = text("SELECT coalesce(sum(abs(amount)), 0) FROM objection WHERE released_in IS NULL")
            return int((await session.execute(query)).scalar_one())

    async def open_net(self) -> tuple[int, int, int]:
        """Of the open cycle, in millionths, what the grocer owes the filling station: opening, corrections, net."""
        async with self.house.runtime.database.session() as session:
            cycle = await queries.open_cycle(session)
            assert cycle is not None
            (net,) = (await queries.pair_nets(session, [cycle], "USD"))[cycle.id] or [None]
        if net is None:
            return 0, 0, 0
        sign = 1 if net.first == self.house.id("fuel") else -1
        return sign * net.opening, sign * (net.lines + net.adjustments), sign * net.net

    async def is_proved(self) -> None:
        """The books agree."""
        async with self.house.runtime.database.session() as session:
            proof = await verify(session)
        assert proof.differences == []


def unknown(place: Place) -> Objected:
    """No such order is known."""
    return Objected(place, ObjectionReason.UNKNOWN_KEY)


UP: list[tuple[str, Move, int | None]] = [("fuel", Move.REJECT, None), ("grocer", Move.ESCALATE, None)]


@pytest.mark.parametrize(
    ("moves", "back", "paid_first"),
    [
        ([("fuel", Move.ACCEPT, None)], 9_000_000, False),
        ([("fuel", Move.ACCEPT_PARTLY, 4_000_000), ("grocer", Move.ACCEPT, None)], 4_000_000, True),
        ([*UP, ("operator", Move.DECIDE, 1_000_000)], 1_000_000, True),
        ([("grocer", Move.WITHDRAW, None)], 0, False),
    ],
)
async def test_a10_after_each_decision_suspense_is_zero_and_the_open_cycle_has_the_rest(
    house: House, moves: list[tuple[str, Move, int | None]], back: int, paid_first: bool
) -> None:
    """Whether its own cycle is settled by then or not: 81.00 is paid, and what is left of 9.00 in the next."""
    desk = await Desk.stated(house)
    (dispute,) = await desk.object(unknown(desk.places[3]))
    if paid_first:
        await desk.pay()
    assert await desk.suspense() == 9_000_000
    for by, move, amount in moves:
        dispute = await desk.step(dispute, by, move, amount)
    if not paid_first:
        await desk.pay()
    assert (dispute.accepted, await desk.suspense()) == (back, 0)
    assert await desk.open_net() == (9_000_000, -back, (9_000_000 - back) // 10_000)
    async with house.runtime.database.session() as session:
        assert await session.scalar(text("SELECT sum(amount) FROM payment WHERE status = 'PAID'")) == 8_100
    await house.through(await house.close())
    async with house.runtime.database.session() as session:
        paid = await session.scalar(text("SELECT sum(amount) FROM payment WHERE status IN ('PAID', 'CARRIED')"))
    assert paid == 9_000 - back // 10_000
    await desk.is_proved()


async def test_a10_silences_each_with_its_own_end(house: House) -> None:
    """No answer: accepted. No next round: withdrawn, but for what was granted. No decision: as booked, and an alarm."""
    desk = await Desk.settled(house)
    quiet, refused, granted, up = await desk.claim(*(desk.of(n) for n in range(4)))
    await desk.step(refused, "fuel", Move.REJECT)
    await desk.step(granted, "fuel", Move.ACCEPT_PARTLY, 3_000_000)
    await desk.step(up, "fuel", Move.REJECT)
    await desk.step(up, "grocer", Move.ESCALATE)
    assert isinstance(quiet, Dispute)
    assert await desk.silence(quiet.due_at - timedelta(seconds=1)) == 0
    assert await desk.silence(quiet.due_at) == 3
    assert await desk.silence(quiet.due_at) == 0
    assert await desk.silence(LATER) == 1
    async with house.runtime.database.session() as session:
        found = (await session.execute(select(Dispute.status, Dispute.accepted).order_by(Dispute.id))).all()
        told = set(await session.scalars(text("SELECT kind FROM event WHERE holder_id = :id"), {"id": up.id}))  # type: ignore[union-attr]
    assert [tuple(row) for row in found] == [
        ("ACCEPTED", 9_000_000),
        ("WITHDRAWN", 0),
        ("ACCEPTED", 3_000_000),
        ("LAPSED", 0),
    ]
    assert told == {"CLAIM_STEP", "CLAIM_UNDECIDED"}
    assert await desk.open_net() == (0, -12_000_000, -1_200)
    await desk.is_proved()


async def test_a10_deadlines_are_those_of_the_business_calendar(house: House) -> None:
    """From Thursday, June 1st: ten business days end with the 15th, twenty with the 29th."""
    desk = await Desk.settled(house)
    (claim,) = await desk.claim(desk.of(0))
    assert isinstance(claim, Dispute)
    zone = house.runtime.catalogue.alliance.timezone
    assert claim.due_at.astimezone(zone).isoformat()[:16] == "2017-06-16T00:00"
    await desk.step(claim, "fuel", Move.REJECT)
    up = await desk.step(claim, "grocer", Move.ESCALATE)
    assert up.due_at.astimezone(zone).isoformat()[:16] == "2017-06-30T00:00"
    with pytest.raises(AnswerTooLate):
        await desk.step(claim, "operator", Move.DECIDE, 1, as_of=up.due_at)


async def test_a10_settlement_and_corrections_are_the_settlement_of_the_corrected_period(house: House) -> None:
    """Ten lines of 9.00 of which two were wrong and one by a half: 90.00 - 22.50 = 67.50, whichever door they took."""
    desk = await Desk.stated(house)
    (objected,) = await desk.object(unknown(desk.places[0]))
    await desk.step(objected, "fuel", Move.ACCEPT)
    await desk.pay()
    whole, half = await desk.claim(desk.of(1), desk.of(2, None, quantity=500))
    await desk.step(whole, "fuel", Move.ACCEPT)
    await desk.step(half, "fuel", Move.ACCEPT)
    await house.through(await house.close())
    async with house.runtime.database.session() as session:
        flows = await session.execute(text("SELECT payer_id, amount FROM payment WHERE status <> 'VOID'"))
        paid = sum(amount if payer == house.id("grocer") else -amount for payer, amount in flows)
    assert paid == 6_750
    await desk.is_proved()


async def test_a05_what_was_decided_gives_headroom_again(house: House) -> None:
    await limits(house, grocer=cap("500.00"), fuel=cap("500.00"))
    desk = await Desk.stated(house)
    (dispute,) = await desk.object(unknown(desk.places[0]))
    assert (await used(house, "grocer"), await used(house, "fuel")) == (90, -81)
    await desk.step(dispute, "fuel", Move.ACCEPT_PARTLY, 4_000_000)
    await desk.step(dispute, "grocer", Move.ACCEPT)
    assert (await used(house, "grocer"), await used(house, "fuel")) == (86, -86)
    await desk.is_proved()


async def test_a10_beyond_a_tenth_against_free_collateral(house: House) -> None:
    """Three lines of 9.00 of a gross of 90.00 are 18.00 beyond; a deposit of 20.00 stands for that, and for no more."""
    desk = await Desk.stated(house)
    three = [unknown(place) for place in desk.places[:3]]
    with pytest.raises(ObjectionLimitExceeded):
        await desk.object(*three)
    async with house.runtime.database.transaction() as session:
        entries = [
            (MoneyAccount.BANK, house.id("operator"), 2_000),
            (MoneyAccount.COLLATERAL, house.id("grocer"), -2_000),
        ]
        await post(session, kind="COLLATERAL_IN", entries=entries, who=WHO, why="deposit", as_of=NOON)
    disputes = await desk.object(*three)
    assert [one.secured for one in disputes] == [0, 9_000_000, 9_000_000]
    with pytest.raises(ObjectionLimitExceeded):
        await desk.object(unknown(desk.places[3]))
    grocer, alliance = house.runtime.catalogue.merchants["grocer"], house.runtime.catalogue.alliance
    async with house.runtime.database.transaction() as session:
        assert await releasable(session, alliance, grocer, Deposit.COLLATERAL, NOON) == 200
    await desk.step(disputes[1], "grocer", Move.WITHDRAW)
    await desk.object(unknown(desk.places[3]))
    assert await desk.suspense() == 27_000_000


async def test_a10_a_claim_is_of_a_settled_line_in_time_and_not_of_more_than_there_is(house: House) -> None:
    desk = await Desk.stated(house)
    (early,) = await desk.claim(desk.of(0))
    assert isinstance(early, ClaimTooEarly)
    await desk.pay()
    days = timedelta(days=181)
    (late,) = await desk.claim(desk.of(0), as_of=NOON + days)
    assert isinstance(late, ClaimTooLate)
    cases: list[tuple[ClaimAsked, type[Refusal]]] = [
        (desk.of(0, 9_000_001), ClaimTooLarge),
        (desk.of(0, 0), InvalidInput),
        (desk.of(0, None), InvalidInput),
        (desk.of(0, None, quantity=1_001), InvalidInput),
        (desk.of(0, text=" "), InvalidInput),
        (desk.of(0, attachments=[uuid.uuid4()]), NotFound),
        (ClaimAsked((uuid.uuid4(), uuid.uuid4(), 0), None, 1, ClaimCode.OTHER, "x"), NotFound),
        (ClaimAsked(desk.places[0], WHO, 1, ClaimCode.OTHER, "x"), NotFound),
        (ClaimAsked(None, WHO, 1, ClaimCode.OTHER, "x"), NotFound),
        (ClaimAsked(None, house.id("grocer"), 1, ClaimCode.OTHER, "x"), NotFound),
        (ClaimAsked(None, None, 1, ClaimCode.OTHER, "x"), InvalidInput),
    ]
    found = await desk.claim(*(asked for asked, _ in cases), desk.of(1), desk.of(1))
    assert [type(one) for one in found[:-2]] == [refusal for _, refusal in cases]
    assert (type(found[-2]), type(found[-1])) == (Dispute, LineInDispute)
    (outsider,) = await desk.claim(desk.of(0), by="operator")
    assert isinstance(outsider, NotFound)
    (again,) = await desk.claim(desk.of(1))
    assert isinstance(again, LineInDispute)


async def test_a10_a_line_is_claimed_again_for_what_is_left_of_it_unless_the_operator_decided(house: House) -> None:
    desk = await Desk.settled(house)
    (first,) = await desk.claim(desk.of(0, 6_000_000))
    await desk.step(first, "fuel", Move.ACCEPT)
    (much,) = await desk.claim(desk.of(0, 3_000_001))
    assert isinstance(much, ClaimTooLarge)
    (rest,) = await desk.claim(desk.of(0, 3_000_000))
    await desk.step(rest, "fuel", Move.REJECT)
    await desk.step(rest, "grocer", Move.ESCALATE)
    await desk.step(rest, "operator", Move.DECIDE, 0)
    (again,) = await desk.claim(desk.of(0, 1))
    assert isinstance(again, LineInDispute)


async def test_a10_a_claim_without_a_line_and_one_to_be_owed_more(house: House) -> None:
    desk = await Desk.settled(house)
    missing, dearer = (
        ClaimAsked(None, house.id("grocer"), 5_000_000, ClaimCode.MISSING_LINE, "sale f-77 is not there"),
        ClaimAsked(desk.places[0], house.id("grocer"), 2_000_000, ClaimCode.WRONG_PRICE, "it was dearer"),
    )
    claims = await desk.claim(missing, dearer, by="fuel")
    for claim in claims:
        await desk.step(claim, "grocer", Move.ACCEPT)
    assert await desk.open_net() == (0, 7_000_000, 700)
    await desk.is_proved()


async def test_a10_the_same_key_is_the_same_claim(house: House) -> None:
    desk = await Desk.settled(house)
    (first,) = await desk.claim(desk.of(0, key="c-1"))
    (second,) = await desk.claim(desk.of(0, key="c-1"))
    (other,) = await desk.claim(desk.of(1, key="c-1"))
    assert isinstance(first, Dispute)
    assert isinstance(second, Dispute)
    assert first.id == second.id
    assert isinstance(other, IdempotencyConflict)


async def _both(house: House, act: Callable[[], Any]) -> list[Any]:
    return await asyncio.gather(act(), act(), return_exceptions=True)


async def test_a10_of_two_answers_at_the_same_time_one_counts(house: House) -> None:
    desk = await Desk.settled(house)
    (claim,) = await desk.claim(desk.of(0))
    found = await _both(house, lambda: desk.step(claim, "fuel", Move.ACCEPT))
    assert sorted(type(one).__name__ for one in found) == ["Dispute", "WrongClaimStatus"]
    assert await desk.open_net() == (0, -9_000_000, -900)
    raised = await _both(house, lambda: desk.claim(desk.of(1)))
    assert sorted(type(one).__name__ for (one,) in raised) == ["Dispute", "LineInDispute"]


async def test_a10_who_is_no_party_has_no_part_in_it(house: House) -> None:
    desk = await Desk.settled(house)
    (claim,) = await desk.claim(desk.of(0))
    assert isinstance(claim, Dispute)
    with pytest.raises(WrongClaimStatus):
        await desk.step(claim, "operator", Move.ACCEPT)
    with pytest.raises(NotFound):
        await desk.step(claim, "fuel", Move.DECIDE, 0)
    alliance = house.runtime.catalogue.alliance
    async with house.runtime.database.transaction() as session:
        with pytest.raises(NotFound):
            await take_step(session, alliance, claim.id, Move.NOTE, party_id=WHO, who=WHO, as_of=NOON, text="x")
    for move, said in ((Move.REJECT, ""), (Move.ACCEPT, "x" * 1001)):
        with pytest.raises(InvalidInput):
            await desk.step(claim, "fuel", move, text=said)


async def test_a10_verify_finds_what_was_not_corrected(house: House) -> None:
    desk = await Desk.stated(house)
    (dispute,) = await desk.object(unknown(desk.places[0]))
    for change, name in (
        ("UPDATE dispute SET accepted = 1, decided_at = now()", "what a dispute corrected is what was accepted"),
        ("UPDATE objection SET released_in = cycle_id", "suspense is what is not decided"),
        ("DELETE FROM dispute_step", "a dispute is as its last step left it"),
    ):
        async with house.runtime.database.session() as session:
            await session.execute(text(change))
            found = [check for check, sql in CHECKS.items() if (await session.execute(text(sql))).first()]
            await session.rollback()
        assert name in found
    assert dispute.accepted is None


async def test_a10_a_released_line_counts_once_where_its_debtor_is_frozen(house: House) -> None:
    """9.00 of 90.00 is objected to; while the grocer is frozen it gives the filling station no headroom by either."""
    await limits(house, grocer=cap("500.00"), fuel=cap("500.00"))
    desk = await Desk.stated(house)
    (dispute,) = await desk.object(unknown(desk.places[0]))
    async with house.runtime.database.transaction() as session:
        await freeze(session, house.id("grocer"), who=WHO, why="late", as_of=NOON)
    assert (await used(house, "grocer"), await used(house, "fuel")) == (90, 0)
    await desk.step(dispute, "fuel", Move.REJECT)
    await desk.step(dispute, "grocer", Move.WITHDRAW)
    assert (await used(house, "grocer"), await used(house, "fuel")) == (90, 0)
    await desk.is_proved()
    await desk.pay()
    assert (await used(house, "grocer"), await used(house, "fuel")) == (9, 0)
    await desk.is_proved()
    await house.through(await house.close(), "net_cycle")
    await desk.is_proved()
    async with house.runtime.database.transaction() as session:
        await restore(session, house.id("grocer"), who=WHO, why="paid", as_of=NOON)
    assert (await used(house, "grocer"), await used(house, "fuel")) == (9, -9)
    await desk.is_proved()


async def test_a10_what_was_released_goes_on_when_its_cycle_is_given_up(house: House) -> None:
    desk = await Desk.stated(house)
    before = await house.count("entry")
    (dispute,) = await desk.object(unknown(desk.places[0]))
    await desk.step(dispute, "fuel", Move.ACCEPT_PARTLY, 4_000_000)
    await desk.step(dispute, "grocer", Move.ACCEPT)
    following = await house.close()
    await desk.pay()
    await house.step("abort_cycle", following)
    assert await desk.open_net() == (5_000_000, 0, 500)
    await desk.is_proved()
    assert await house.count("entry") == before, "no dispute moves a member's points"


async def test_a10_the_operator_decides_no_dispute_of_its_own(house: House) -> None:
    """It answers as any party; what the other does not take stands as booked once the deadline is over."""
    alliance = house.runtime.catalogue.alliance
    asked = ClaimAsked(None, alliance.id, 5_000_000, ClaimCode.OTHER, "a fee for nothing")
    async with house.runtime.database.transaction() as session:
        [claim] = await raise_claims(session, alliance, [asked], merchant_id=house.id("fuel"), who=WHO, as_of=NOON)
        assert isinstance(claim, Dispute)
        for party, move in ((alliance.id, Move.REJECT), (house.id("fuel"), Move.ESCALATE)):
            await take_step(session, alliance, claim.id, move, party_id=party, who=WHO, as_of=NOON, text="no")
        deciding = {"party_id": alliance.id, "who": WHO, "as_of": NOON, "text": "no", "amount": 0}
        with pytest.raises(NotAllowed):
            await take_step(session, alliance, claim.id, Move.DECIDE, **deciding)
