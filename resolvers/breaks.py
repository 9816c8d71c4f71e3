"""Breaks: the operator sees and works all, a merchant those of its own files; its partner none (A14)."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from alliance.approvals.model import Approval
from alliance.breaks import commands, queries
from alliance.breaks.commands import MOST, Outcomes, Worked
from alliance.breaks.model import BreakNote
from alliance.breaks.queries import Filter, Order, sort_value
from alliance.breaks.rules import Bucket, buckets, opened_before
from alliance.clearing.model import Obligation
from alliance.disputes.model import ClaimCode
from alliance.partnerfiles.model import BreakStatus, Outcome, ReconBreak
from domain.errors import InvalidInput, NotFound, Refusal
from domain.money import MICRO, scaled
from resolvers import approvals, ids
from resolvers.approvals import about
from resolvers.context import Context
from resolvers.lines import line_id
from resolvers.once import once
from resolvers.pages import Page, Shape, Window, page
from resolvers.reach import members_of
from resolvers.sent import Sent, key_of

_PLACES = len(str(MICRO)) - 1


@dataclass(frozen=True, slots=True)
class Item:
    """What became of one break that a call named: the break as it is now, if it is in reach."""

    row: ReconBreak | None
    refusal: Refusal | None
    waits: bool


@dataclass(frozen=True, slots=True)
class Answered:
    """All of them, in order; and what those which wait wait for."""

    items: list[Item]
    approval: Approval | None


def shape(order: Order) -> Shape:
    """How the cursors of a list in that order are read."""
    return (datetime.fromisoformat if order is Order.AGE else int, UUID)


async def listed(context: Context, asked: Window, sent: Sent | None, order: Order) -> Page[ReconBreak]:
    """A page of breaks in reach. Raises InvalidInput, also for last or before."""
    if asked.backward or asked.before is not None:
        raise InvalidInput(reason="breaks are listed forwards: give first and after", path=("last",))
    party, wanted = members_of(context.signed_in), _filter(context, sent)
    after = None if asked.after is None else (asked.after[0], asked.after[1])
    async with context.runtime.database.reader() as session:
        found = await queries.page(session, party, wanted, order, asked.size + 1, after)

    async def total() -> int:
        async with context.runtime.database.reader() as session:
            return await queries.count(session, party, wanted)

    def cursor(row: ReconBreak) -> tuple[str, str]:
        value = sort_value(order, row)
        return value.isoformat() if isinstance(value, datetime) else str(value), str(row.id)

    return page(asked, list(found), cursor, total)


async def totals(context: Context, sent: Sent | None) -> list[tuple[Bucket, int, int]]:
    """How many breaks of each age, and how much. Raises InvalidInput."""
    ages = buckets(context.runtime.catalogue.alliance, context.as_of)
    async with context.runtime.database.reader() as session:
        return await queries.totals(session, members_of(context.signed_in), _filter(context, sent), ages)


def _filter(context: Context, sent: Sent | None) -> Filter:
    """What was asked for. Raises InvalidInput, NotFound."""
    sent = sent or {}
    alliance = context.runtime.catalogue.alliance
    days, least = sent.get("olderThanDays"), sent.get("minAmount")
    if days is not None and not 0 <= days <= 3660:
        raise InvalidInput(reason="must lie within 0 and 3660", path=("filter", "olderThanDays"))
    if least is not None and least["currency"] != alliance.settlement_currency:
        raise InvalidInput(reason=f"cycles are settled in {alliance.settlement_currency}", path=("filter", "minAmount"))
    cycle, status, outcome = sent.get("cycle"), sent.get("status"), sent.get("outcome")
    return Filter(
        status=None if status is None else BreakStatus(status),
        outcome=None if outcome is None else Outcome(outcome),
        owner_id=_owner(sent.get("owner"), ("filter", "owner")),
        merchant_id=_merchant(context, sent.get("merchant"), ("filter", "merchant")),
        other_id=_merchant(context, sent.get("counterparty"), ("filter", "counterparty")),
        cycle_id=None if cycle is None else ids.decode_as("SettlementCycle", cycle, 1)[0],
        opened_before=None if days is None else opened_before(days + 1, alliance, context.as_of),
        min_amount=None if least is None else scaled(least["amount"], _PLACES),
    )


def _merchant(context: Context, code: str | None, path: tuple[str, ...]) -> UUID | None:
    if code is None:
        return None
    found = context.runtime.catalogue.merchants.get(code)
    if found is None:
        raise NotFound(what=f"merchant {code[:40]!r}", path=path)
    return found.id


def _owner(said: str | None, path: tuple[str, ...]) -> UUID | None:
    try:
        return None if said is None else UUID(said)
    except ValueError:
        raise InvalidInput(reason="must be the id of a client or a person", path=path) from None


async def by_global_id(context: Context, global_id: str) -> ReconBreak | None:
    """The break of a global id, if it is in reach. Raises NotFound for an id of something else."""
    id_ = ids.decode_as("Break", global_id, 1)[0]
    async with context.runtime.database.reader() as session:
        return (await queries.by_ids(session, members_of(context.signed_in), [id_])).get(id_)


async def notes(context: Context, row: ReconBreak) -> list[BreakNote]:
    """What was noted about a break in reach."""

    async def load(session: AsyncSession, keys: list[UUID]) -> list[list[BreakNote]]:
        found = await queries.notes(session, keys)
        return [found[key] for key in keys]

    return await context.loaders.one_of("break notes", load).load(row.id)


def line(context: Context, row: ReconBreak) -> str | None:
    """Names our line, to both its parties."""
    place = commands.place_of(row)
    if place is None:
        return None
    holder_id, operation_id, seq = place
    return line_id(context, Obligation(holder_id=holder_id, operation_id=operation_id, seq=seq))


Act = Callable[[AsyncSession, Sequence[UUID]], Awaitable[Outcomes]]


async def assign(context: Context, sent: Sent) -> Answered:
    """Make somebody the owner: the caller, or who is named; null for nobody. Raises a Refusal."""
    owner_id = _owner(sent["owner"], ("owner",)) if "owner" in sent else context.signed_in.subject

    async def act(session: AsyncSession, chosen: Sequence[UUID]) -> Outcomes:
        return Outcomes(await commands.assign(session, chosen, owner_id, about(context, sent)))

    return await _work(context, "assignBreaks", sent, act)


async def note(context: Context, sent: Sent) -> Answered:
    """Note something about breaks. Raises a Refusal."""

    async def act(session: AsyncSession, chosen: Sequence[UUID]) -> Outcomes:
        return Outcomes(await commands.note(session, chosen, sent["text"], about(context, sent)))

    return await _work(context, "noteBreaks", sent, act)


async def write_off(context: Context, sent: Sent) -> Answered:
    """Write breaks off. Raises a Refusal."""

    async def act(session: AsyncSession, chosen: Sequence[UUID]) -> Outcomes:
        return await commands.write_off(session, context.runtime, chosen, about(context, sent))

    return await _work(context, "writeOffBreaks", sent, act)


async def adjust(context: Context, sent: Sent) -> Answered:
    """Book what breaks come to. Raises a Refusal."""

    async def act(session: AsyncSession, chosen: Sequence[UUID]) -> Outcomes:
        return await commands.adjust(session, context.runtime, chosen, about(context, sent))

    return await _work(context, "adjustBreaks", sent, act)


async def claim(context: Context, sent: Sent) -> Answered:
    """Claim what breaks come to. Raises a Refusal."""
    code = sent.get("claimCode")

    async def act(session: AsyncSession, chosen: Sequence[UUID]) -> Outcomes:
        asked = None if code is None else ClaimCode(code)
        alliance = context.runtime.catalogue.alliance
        return Outcomes(await commands.claim(session, alliance, chosen, asked, about(context, sent)))

    return await _work(context, "claimBreaks", sent, act)


async def _work(context: Context, name: str, sent: Sent, act: Act) -> Answered:
    """Do it once, to the breaks that are named, or to the first 500 that a filter takes. Raises a Refusal."""

    async def once_(session: AsyncSession) -> dict[str, Any]:
        outcomes = await act(session, await _chosen(context, session, sent))
        return {
            "approval": None if outcomes.approval_id is None else str(outcomes.approval_id),
            "items": [_kept(one) for one in outcomes.items],
        }

    done = await once(context, key_of(context, name, sent), once_)
    party = members_of(context.signed_in)
    async with context.runtime.database.reader() as session:
        rows = await queries.by_ids(session, party, [UUID(one["id"]) for one in done["items"]])
    waiting = done["approval"]
    return Answered(
        items=[
            Item(
                rows.get(UUID(one["id"])),
                None if one["refusal"] is None else Refusal.from_json(one["refusal"]),
                one["waits"],
            )
            for one in done["items"]
        ],
        approval=None if waiting is None else await approvals.load(context, UUID(waiting)),
    )


def _kept(one: Worked) -> dict[str, Any]:
    return {
        "id": str(one.id),
        "refusal": None if one.refusal is None else one.refusal.to_json(),
        "waits": one.waits,
    }


async def _chosen(context: Context, session: AsyncSession, sent: Sent) -> list[UUID]:
    """The breaks that are named, or the oldest that a filter takes, at most 500. Raises InvalidInput, NotFound."""
    named, wanted = sent.get("breaks"), sent.get("filter")
    if (named is None) == (wanted is None):
        raise InvalidInput(reason="give breaks or a filter", path=("breaks",))
    if named is None:
        opened = {"status": BreakStatus.OPEN.value, **(wanted or {})}
        found = await queries.page(session, members_of(context.signed_in), _filter(context, opened), Order.AGE, MOST)
        return [row.id for row in found]
    if len(named) > MOST:
        raise InvalidInput(reason=f"name 1 to {MOST} breaks", path=("breaks",))
    chosen = []
    for number, one in enumerate(named):
        try:
            chosen.append(ids.decode_as("Break", one, 1)[0])
        except NotFound:
            raise NotFound(what="break", path=("breaks", str(number))) from None
    return list(dict.fromkeys(chosen))
