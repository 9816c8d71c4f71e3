"""What happened that staff is told of: found in the sequence of events, after the place that was looked at last."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.disputes.life import Move
from alliance.disputes.model import Door
from alliance.feed.kinds import DATA
from alliance.feed.model import Happened
from alliance.feed.queries import end, event_of
from alliance.staff import figures
from alliance.staff.commands import News, add_mails
from alliance.staff.figures import Fact, Facts
from alliance.staff.kinds import OF_EVENTS, OF_STEPS, Mail
from alliance.staff.model import StaffMailCursor
from domain.events.kinds import EventKind
from domain.programs.catalogue import Catalogue

Write = Callable[[Catalogue, Happened, UUID | None], Mapping[str, Any]]
"""The data of an event as a merchant (None: the operator) is told of it."""

#: Events that one call looks at.
MOST = 5000

#: What is older is no news: after a long standstill, or after a replay.
NEWS = timedelta(days=3)

# Of all that happened only events have a row each; operations, which are most, are not looked at.
_EVENTS = text("""
    SELECT n.position, e.id, e.holder_id, e.kind, e.data, e.seen_by, e.booked_at
    FROM (SELECT * FROM event_number WHERE position >= :first AND position < :ends ORDER BY position LIMIT :most) AS n
    JOIN event e ON e.holder_id = n.holder_id AND e.id = n.event_id
    WHERE e.kind = ANY(:kinds) ORDER BY n.position
""")
_LAST = text("""
    SELECT max(position), count(*) FROM (
        SELECT position FROM event_number WHERE position >= :first AND position < :ends ORDER BY position LIMIT :most) n
""")


async def tell_staff(session: AsyncSession, catalogue: Catalogue, write: Write, as_of: datetime) -> bool:
    """Go on in the sequence and add the mails; whether there is more. The first time, what was before is not told.

    Only one at a time goes on; another has nothing to do meanwhile.
    """
    ends = await end(session)
    await session.execute(insert(StaffMailCursor).values(one=1, position=ends).on_conflict_do_nothing())
    mine = select(StaffMailCursor).with_for_update(skip_locked=True)
    cursor = (await session.scalars(mine)).one_or_none()
    if cursor is None:
        return False
    asked = {"first": cursor.position, "ends": ends, "most": MOST}
    last, count = (await session.execute(_LAST, asked)).one()
    kinds = [*OF_EVENTS, EventKind.CYCLE_STEP.value]
    found = [event_of(row) for row in await session.execute(_EVENTS, asked | {"kinds": kinds})]
    happened = [one for one in found if one.at > as_of - NEWS]
    await add_mails(
        session, catalogue, [*_told(catalogue, write, happened), *await _steps(session, catalogue, happened)]
    )
    cursor.position = max(cursor.position, last + 1 if count == MOST else ends)
    return bool(count == MOST)


def _told(catalogue: Catalogue, write: Write, happened: Iterable[Happened]) -> list[News]:
    """By receiver and kind, what is told together: many of a kind are one mail."""
    together: defaultdict[tuple[UUID, str], list[tuple[Happened, list[Fact]]]] = defaultdict(list)
    for one in happened:
        mail = None if _is_told_otherwise(one) else OF_EVENTS.get(one.kind)
        for party_id in () if mail is None else _receivers(catalogue, mail, one):
            seer = None if party_id == catalogue.alliance.id else party_id
            together[party_id, one.kind].append((one, _facts(one.kind, write(catalogue, one, seer))))
    return [
        News(party_id, kind, f"event:{told[0][0].id}", [facts for _, facts in told])
        for (party_id, kind), told in together.items()
    ]


def _is_told_otherwise(one: Happened) -> bool:
    """Whether it is told with all that was objected to in one go."""
    return one.kind == EventKind.CLAIM_STEP and (one.data["door"], one.data["step"]) == (Door.OBJECTION, Move.RAISE)


def _receivers(catalogue: Catalogue, mail: Mail, one: Happened) -> Iterable[UUID]:
    """Those who have a contact is asked later; only whose side it is may be told (A14)."""
    named = {one.data.get(name) for name in mail.to}
    for merchant_id in catalogue.merchants_by_id:
        if one.is_for(merchant_id) and (not mail.to or str(merchant_id) in named):
            yield merchant_id
    if not (mail.theirs and one.merchants):
        yield catalogue.alliance.id


def _facts(kind: str, data: Mapping[str, Any]) -> list[Fact]:
    fields = DATA[EventKind(kind)]
    return [[name, fields[name].name, value] for name, value in data.items()]


async def _steps(session: AsyncSession, catalogue: Catalogue, happened: Sequence[Happened]) -> list[News]:
    """Steps of cycles, with the figures of each party that has a part in them."""
    steps = [one for one in happened if one.kind == EventKind.CYCLE_STEP and one.data["status"] in OF_STEPS]
    currency = catalogue.alliance.settlement_currency
    news = []
    for status in OF_STEPS:
        of_status = {UUID(one.data["cycle"]): one for one in steps if one.data["status"] == status}
        find = figures.planned if status == "SETTLING" else figures.stated
        facts: Facts = await find(session, of_status.keys(), currency)
        for (cycle_id, party_id), lines in facts.items():
            news.append(News(party_id, f"CYCLE_{status}", f"event:{of_status[cycle_id].id}", [lines]))
    return news
