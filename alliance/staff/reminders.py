"""Staff is reminded of deadlines on the alliance's calendar: one business day before, and once they have passed."""

from collections import defaultdict
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.calendar import Calendar
from alliance.disputes.life import DisputeStatus
from alliance.disputes.model import Dispute
from alliance.settlement.model import CycleStatus, SettlementCycle
from alliance.staff import figures
from alliance.staff.commands import News, add_mails
from domain.money import unscaled
from domain.programs.catalogue import MICRO_PLACES, Alliance, Catalogue, Days

SOON = Days(1, business=True)


def is_near(alliance: Alliance, deadline: datetime | None, as_of: datetime) -> bool:
    """Whether a deadline is yet to come, and by the end of the next business day at the latest."""
    if deadline is None or as_of >= deadline:
        return False
    return deadline <= Calendar.of(alliance.calendar).deadline(as_of, SOON, alliance.timezone)


async def remind_staff(session: AsyncSession, catalogue: Catalogue, as_of: datetime) -> int:
    """Add the mails of deadlines that are near or have passed; how many. Each is one mail of a cycle and contact."""
    alliance = catalogue.alliance
    waiting = (CycleStatus.STATED, CycleStatus.SETTLING)
    cycles = (await session.scalars(select(SettlementCycle).where(SettlementCycle.status.in_(waiting)))).all()
    ending = [
        one.id for one in cycles if one.status == CycleStatus.STATED and is_near(alliance, one.objections_until, as_of)
    ]
    paying = [one for one in cycles if one.status == CycleStatus.SETTLING]
    near = [one.id for one in paying if is_near(alliance, one.payments_due, as_of)]
    late = [one.id for one in paying if one.payments_due is not None and one.payments_due <= as_of]
    currency = alliance.settlement_currency
    facts = {
        "OBJECTIONS_END": await figures.stated(session, ending, currency, unconfirmed=True),
        "PAYMENT_DUE": await figures.planned(session, near, currency, payers=True),
        "PAYMENT_LATE": await figures.planned(session, late, currency),
    }
    news = [
        News(party_id, kind, f"{kind}:{cycle_id}", [lines])
        for kind, found in facts.items()
        for (cycle_id, party_id), lines in found.items()
    ]
    numbers = {one.id: one.number for one in paying}
    news += [
        News(alliance.id, "PAYMENT_LATE", f"PAYMENT_LATE:{id_}", [[["number", "NUMBER", numbers[id_]]]]) for id_ in late
    ]
    return await add_mails(session, catalogue, [*news, *await _answers(session, catalogue, as_of)])


async def _answers(session: AsyncSession, catalogue: Catalogue, as_of: datetime) -> list[News]:
    """Disputes whose deadline is near, together by the moment of it: for the side that each waits for."""
    alliance = catalogue.alliance
    soon = Calendar.of(alliance.calendar).deadline(as_of, SOON, alliance.timezone)
    due = (Dispute.due_at > as_of) & (Dispute.due_at <= soon)
    rows = await session.scalars(select(Dispute).where(Dispute.decided_at.is_(None), due).order_by(Dispute.id))
    together: defaultdict[tuple[UUID, datetime], list[list[figures.Fact]]] = defaultdict(list)
    for row in rows:
        waits_for = {DisputeStatus.RAISED: row.against_id, DisputeStatus.ANSWERED: row.raiser_id}
        party_id = waits_for.get(DisputeStatus(row.status), alliance.id)
        codes = [catalogue.merchants_by_id[id_].code for id_ in (row.raiser_id, row.against_id) if id_ != alliance.id]
        claimed = unscaled(row.claimed, MICRO_PLACES)
        told: list[figures.Fact] = [["merchants", "MERCHANTS", codes], ["claimed", "MONEY", claimed]]
        together[party_id, row.due_at].append([*told, ["dueAt", "TIME", row.due_at.isoformat()]])
    return [
        News(party_id, "ANSWER_DUE", f"ANSWER_DUE:{due_at.isoformat()}", items)
        for (party_id, due_at), items in together.items()
    ]
