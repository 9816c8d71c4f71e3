"""Staff is written to of what happened and of deadlines: once, its own side alone, and again until it is sent."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import delete, select

from alliance.disputes.claims import ClaimAsked, raise_claims
from alliance.disputes.commands import object_to_lines
from alliance.disputes.model import ClaimCode, Dispute, ObjectionReason
from alliance.disputes.rules import Objected
from alliance.settlement.model import SettlementCycle
from alliance.staff.commands import anyone, forget_mails
from alliance.staff.model import StaffMail
from domain.base import new_id
from domain.contacts.model import ContactChannel
from domain.events.commands import add_events
from domain.events.kinds import EventKind
from domain.events.model import HeldJob, Job, NewEvent
from domain.messages.port import Unsent
from domain.programs.model import MerchantRow
from domain.programs.staffing import Contact
from resolvers.events import told
from tests.alliance.feed.test_sequence import sealed
from tests.alliance.messages.support import Provider
from tests.alliance.support import NOON, WHO, House, days
from tests.ledger_support import rows
from workers.actors.messages import PATIENCE
from workers.actors.staff import staff_send, staff_tell
from workers.scheduler import calendar

GROCER = Contact("ann@grocer.example", frozenset({"settlement", "payments"}))
FUEL = Contact("bo@fuel.example", frozenset({"all"}), "zh-CN")
DESK = Contact("desk@alliance.example", frozenset({"disputes", "payments"}))


def named(house: House, **contacts: tuple[Contact, ...]) -> None:
    """Merchants, or the operator, name these."""
    catalogue = house.runtime.catalogue
    merchants = {
        code: replace(one, contacts=contacts.get(code, one.contacts)) for code, one in catalogue.merchants.items()
    }
    house.runtime.catalogue = replace(
        catalogue,
        alliance=replace(catalogue.alliance, contacts=contacts.get("operator", catalogue.alliance.contacts)),
        merchants=merchants,
        merchants_by_id={one.id: one for one in merchants.values()},
    )


class Post:
    """The house's mail to staff."""

    def __init__(self, house: House) -> None:
        self.house, self.provider = house, Provider()

    async def tell(self, as_of: datetime = NOON) -> None:
        """Look on."""
        await sealed(self.house.runtime.database)
        async with self.house.runtime.database.transaction() as session:
            job = HeldJob(new_id(), {"as_of": as_of.isoformat()}, 1)
            assert await staff_tell(told)(self.house.runtime, session, [job]) == {}

    async def deliver(self, attempt: int = 1) -> int:
        """Do the jobs that are there; how many are tried again."""
        act = staff_send({ContactChannel.EMAIL: self.provider}, lambda: NOON)
        async with self.house.runtime.database.transaction() as session:
            jobs = (await session.scalars(select(Job).where(Job.actor == "staff_send").order_by(Job.id))).all()
            errors = await act(self.house.runtime, session, [HeldJob(job.id, job.args, attempt) for job in jobs])
            await session.execute(delete(Job).where(Job.id.in_([job.id for job in jobs if job.id not in errors])))
        return len(errors)

    async def new(self, as_of: datetime = NOON) -> list[tuple[str, str]]:
        """Look on and send: to whom and of what."""
        self.provider.sent.clear()
        await self.tell(as_of)
        await self.deliver()
        return sorted((one.to, one.subject.partition(": ")[2] or one.subject) for one in self.provider.sent)

    def text(self, to: str) -> str:
        """The last mail to somebody."""
        return next(one.text for one in reversed(self.provider.sent) if one.to == to)


@pytest.fixture
async def post(house: House) -> Post:
    """Where grocer, fuel and the operator have contacts, and nothing is told yet."""
    named(house, grocer=(GROCER,), fuel=(FUEL,), operator=(DESK,))
    made = Post(house)
    await made.tell()
    return made


async def spent(house: House, points: int = 2000) -> SettlementCycle:
    """A cycle in which grocer owes fuel, closed."""
    ann = await house.member()
    await house.earn(ann, "grocer", points)
    await house.spend(ann, "fuel", points)
    return await house.close()


async def states(house: House) -> list[Any]:
    """What became of each mail."""
    return [tuple(row) for row in await rows(house.runtime.database, "SELECT state, why, attempts FROM staff_mail")]


async def test_a14_staff_is_mailed_once_with_the_figures_of_its_own_side(post: Post) -> None:
    house = post.house
    cycle = await spent(house)
    await house.step("issue_statements", cycle)
    issued = f"Statement issued (cycle {cycle.number})"
    assert await post.new() == [
        (GROCER.email, issued),
        (FUEL.email, f"Demo：对账单已出具 (结算周期 {cycle.number})"),
    ]
    assert await post.new() == [], "once"
    await post.house.step("confirm_statement", cycle)
    await post.new()
    await house.step("net_cycle", cycle)
    await house.step("settle_cycle", cycle)
    assert [to for to, _ in await post.new()] == [GROCER.email, FUEL.email], "no payment is the operator's"
    pays, gets = post.text(GROCER.email), post.text(FUEL.email)
    assert "you have to pay: 18.00 USD" in pays
    assert "payments are due before: 2017-06-09 00:00 America/New_York" in pays
    assert "贵方应收：18.00 USD" in gets
    assert "应付：" not in gets


async def test_a14_no_mail_tells_of_another_pair(post: Post) -> None:
    house = post.house
    async with house.runtime.database.transaction() as session:
        mine, other = house.id("grocer"), house.id("fuel")
        data = {"merchant": str(other), "level": 85, "used": "85000000", "cap": "100000000"}
        await add_events(session, [NewEvent(other, EventKind.CAP_ALERT, data, (other,))])
    assert await post.new() == [(FUEL.email, "Demo：敞口接近上限")]
    assert "85.000000 USD" in post.text(FUEL.email)
    async with house.runtime.database.transaction() as session:
        frozen = {"merchant": str(other), "asOf": NOON.isoformat()}
        await add_events(session, [NewEvent(other, EventKind.MERCHANT_FROZEN, frozen, (other, mine))])
    assert [to for to, _ in await post.new()] == [GROCER.email, FUEL.email]
    assert "merchant: Fuel" in post.text(GROCER.email)


async def test_a10_many_objections_are_one_mail_to_who_has_to_answer(post: Post) -> None:
    house = post.house
    ann = await house.member()
    await house.earn(ann, "grocer", 5000)
    posted = [await house.spend(ann, "fuel", 100) for _ in range(20)]
    cycle = await house.close()
    await house.step("issue_statements", cycle)
    await post.new()
    lines = [one for one in await house.obligations() if one.operation_id in {p.operation_id for p in posted[:2]}]
    asked = [
        Objected((one.holder_id, one.operation_id, one.seq), ObjectionReason.WRONG_PRICE, one.price - 1)
        for one in lines
        if one.price is not None
    ]
    async with house.runtime.database.transaction() as session:
        alliance, mine = house.runtime.catalogue.alliance, house.id("grocer")
        await object_to_lines(session, alliance, cycle.id, asked, merchant_id=mine, who=WHO, as_of=NOON)
    assert [to for to, _ in await post.new()] == [FUEL.email, DESK.email], "who objected knows"
    assert "明细笔数：2" in post.text(FUEL.email)
    against = str(house.id("fuel"))
    data = {"cycle": str(cycle.id), "number": cycle.number, "lines": 1, "merchant": str(mine), "against": against}
    async with house.runtime.database.transaction() as session:
        many = [NewEvent(cycle.id, EventKind.LINES_OBJECTED, data, (mine, UUID(against))) for _ in range(25)]
        await add_events(session, many)
    assert [to for to, _ in await post.new()] == [FUEL.email, DESK.email]
    assert post.text(DESK.email).count("lines: 1") == 20
    assert "and 5 more" in post.text(DESK.email)


async def test_a10_staff_is_reminded_one_business_day_before_a_deadline(post: Post) -> None:
    house = post.house
    cycle = await spent(house)
    cycle = await house.step("issue_statements", cycle)  # on Thursday: heard until Tuesday is over
    await post.new()
    assert await post.new(NOON + days(1)) == []
    monday = NOON + days(4)
    assert [one for one, _ in await post.new(monday)] == [FUEL.email, DESK.email][:1], (
        "who asked for disputes, and may object"
    )
    assert await post.new(monday + timedelta(hours=3)) == [], "once"
    assert await post.new(monday + days(2)) == [], "it is too late"
    cycle = await house.step("confirm_statement", cycle)
    for step in ("net_cycle", "settle_cycle"):
        cycle = await house.step(step, cycle)
    await post.new()
    assert cycle.payments_due is not None
    assert await post.new(cycle.payments_due - days(2)) == [
        (GROCER.email, f"A payment is due within one business day (cycle {cycle.number})")
    ], "who pays"
    late = await post.new(cycle.payments_due)
    assert [to for to, _ in late] == [GROCER.email, FUEL.email, DESK.email]
    assert await post.new(cycle.payments_due + days(1)) == []


async def test_what_is_not_taken_is_tried_again_and_no_address_is_kept(post: Post) -> None:
    house = post.house
    await house.step("issue_statements", await spent(house))
    await post.tell()
    post.provider.answers = {GROCER.email: Unsent("SMTP 451"), FUEL.email: Unsent("SMTP 550", final=True)}
    assert await post.deliver() == 1
    assert sorted(await states(house)) == [("FAILED", "SMTP 550", 1), ("WAITING", "SMTP 451", 1)]
    assert await post.deliver(PATIENCE.max_attempts) == 1
    assert ("FAILED", "SMTP 451", 2) in await states(house), "until somebody retries its job"
    post.provider.answers = {}
    assert await post.deliver() == 0
    assert ("SENT", None, 3) in await states(house)
    kept = str([tuple(row) for row in await rows(house.runtime.database, "SELECT * FROM staff_mail")])
    assert "@" not in kept


async def test_a_contact_that_is_no_longer_named_is_not_written_to(post: Post) -> None:
    house = post.house
    await house.step("issue_statements", await spent(house))
    await post.tell()
    named(house, grocer=(), fuel=())
    post.provider.sent.clear()
    assert await post.deliver() == 0
    assert post.provider.sent == []
    assert {state for state, *_ in await states(house)} == {"SKIPPED"}
    async with house.runtime.database.transaction() as session:
        assert await forget_mails(session, datetime.now(NOON.tzinfo) + days(1), 1) == 1
        assert len((await session.scalars(select(StaffMail))).all()) == 1


async def test_nobody_looks_where_there_are_no_contacts(house: House) -> None:
    assert not anyone(house.runtime.catalogue)
    database = house.runtime.database
    async with database.session() as session:
        assert "staff" not in {due.name for due in await calendar(session, NOON)}
        contacts = [{"email": "a@b.example", "for": ["all"], "language": "en"}]
        merchant = (await session.execute(select(MerchantRow).where(MerchantRow.code == "fuel"))).scalar_one()
        merchant.settlement = merchant.settlement | {"contacts": contacts}
        await session.flush()
        assert "staff" in {due.name for due in await calendar(session, NOON)}


async def test_a10_who_has_to_answer_a_claim_is_reminded_in_time(post: Post) -> None:
    house = post.house
    await house.through(await spent(house))
    lines = [one for one in await house.obligations() if one.kind == "SPEND"]
    place = (lines[0].holder_id, lines[0].operation_id, lines[0].seq)
    async with house.runtime.database.transaction() as session:
        asked = ClaimAsked(place, None, 2_000_000, ClaimCode.OTHER, "not delivered")
        alliance, mine = house.runtime.catalogue.alliance, house.id("grocer")
        [claim] = await raise_claims(session, alliance, [asked], merchant_id=mine, who=WHO, as_of=NOON)
    assert isinstance(claim, Dispute)
    await post.new()
    assert await post.new(claim.due_at - days(5)) == []
    reminded = await post.new(claim.due_at - timedelta(hours=20))
    assert reminded == [(FUEL.email, "Demo：索赔答复将于一个工作日内到期")]
    assert "索赔金额：2.000000 USD" in post.text(FUEL.email)
    assert await post.new(claim.due_at) == []
