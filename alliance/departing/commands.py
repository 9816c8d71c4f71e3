"""Giving notice and withdrawing it, in a transaction of the caller's, under the lock of the alliance file."""

import uuid
from datetime import date

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.agreements.commands import end
from alliance.agreements.errors import NoticeTooShort
from alliance.agreements.model import AgreementRow, AgreementStatus, AgreementVersionRow
from alliance.agreements.rules import after, earliest, last_cycle, midnight
from alliance.agreements.steps import Act
from alliance.departing import queries
from alliance.departing.errors import AlreadyLeaving, NotLeaving
from alliance.departing.model import MerchantExit
from alliance.file.commands import lock
from alliance.settlement.closing import ensure_open_cycle
from domain.errors import InvalidInput
from domain.events.commands import add_event
from domain.events.kinds import EventKind
from domain.programs.catalogue import Alliance, Catalogue, Merchant
from domain.programs.model import MerchantRow


async def announce(
    session: AsyncSession, catalogue: Catalogue, merchant: Merchant, *, on: date | None, act: Act
) -> MerchantExit:
    """Have a merchant leave: all its agreements end on a day, by default the earliest that the notice leaves.

    Its points are spent at partners until the last of them has run off. Raises AlreadyLeaving, NoticeTooShort (also of
    an agreement that asks for more), NotAllowed, InvalidInput.
    """
    alliance = catalogue.alliance
    if not act.why.strip():
        raise InvalidInput(reason="say why", path=("reason",))
    await lock(session)
    known = await queries.latest(session, merchant.id)
    if known is not None and known.withdrawn_at is None:
        raise AlreadyLeaving(merchant=merchant.code, path=("merchant",))
    first = earliest(act.as_of, alliance.notice.exit, alliance)
    day = first if on is None else on
    if day < first:
        raise NoticeTooShort(earliest=first.isoformat(), path=("on",))
    ends_at = midnight(day, alliance)
    runs_off_to = midnight(after(day, alliance.notice.run_off, alliance), alliance)
    for agreement_id in await _in_force(session, merchant.id):
        ended = await end(session, catalogue, agreement_id, on=day, act=act)
        runs_off_to = max(runs_off_to, ended.runs_off_to)
    cycle = await ensure_open_cycle(session, act.as_of)
    last = last_cycle(runs_off_to, cycle.number, cycle.opens_at, alliance.cycle.claim, alliance)
    row = MerchantExit(merchant_id=merchant.id, announced_at=act.as_of, ends_at=ends_at, runs_off_to=runs_off_to)
    row.last_cycle, row.claims_until, row.who, row.why = last.number, last.claims_until, act.who, act.why
    session.add(row)
    await session.flush()
    await _tell(session, EventKind.EXIT_ANNOUNCED, row, act, {"endsAt": ends_at.isoformat()})
    return row


async def withdraw(session: AsyncSession, alliance: Alliance, merchant: Merchant, act: Act) -> MerchantExit:
    """Have a merchant stay, before its agreements end; those are proposed anew. Raises NotLeaving."""
    await lock(session)
    row = await queries.latest(session, merchant.id)
    if row is None or row.withdrawn_at is not None or act.as_of >= row.ends_at:
        raise NotLeaving(merchant=merchant.code, path=("merchant",))
    row.withdrawn_at = act.as_of
    await session.flush()
    await _tell(session, EventKind.EXIT_WITHDRAWN, row, act, {})
    return row


async def _in_force(session: AsyncSession, merchant_id: uuid.UUID) -> list[uuid.UUID]:
    """Agreements of a merchant that go on without end."""
    version = AgreementVersionRow
    query = (
        select(AgreementRow.id)
        .join(version, version.agreement_id == AgreementRow.id)
        .where(or_(AgreementRow.merchant_a == merchant_id, AgreementRow.merchant_b == merchant_id))
        .where(version.status == AgreementStatus.IN_FORCE, version.valid_to.is_(None))
        .distinct()
        .order_by(AgreementRow.id)
    )
    return list(await session.scalars(query))


async def _tell(session: AsyncSession, kind: EventKind, row: MerchantExit, act: Act, more: dict[str, str]) -> None:
    """Everybody hears of it."""
    everybody = (await session.scalars(select(MerchantRow.id).order_by(MerchantRow.id))).all()
    told = {"merchant": str(row.merchant_id), "asOf": act.as_of.isoformat()} | more
    await add_event(session, row.merchant_id, kind, told, *everybody)
