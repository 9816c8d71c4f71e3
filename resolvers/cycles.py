"""Settlement cycles: as much of them as a viewer may see (A14), and their steps."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from alliance.clearing import queries as clearing
from alliance.settlement import closing, commands, paying, queries
from alliance.settlement.model import COMMAND_LINE, CycleStatus, SettlementCycle
from alliance.settlement.paying import RECORD_RECEIPT
from alliance.settlement.queries import MerchantStatement
from domain.errors import InvalidInput, NotFound
from domain.money import to_minor
from resolvers import ids
from resolvers.acting import merchant_of
from resolvers.context import Context
from resolvers.lines import in_cursor, line_id
from resolvers.obligations import SeenLine, seen
from resolvers.once import once
from resolvers.pages import Cursor, Page, Shape, Window, page, small_number
from resolvers.reach import members_of
from resolvers.sent import Sent, key_of

CYCLE_SHAPE = (small_number,)
DEFAULT_REASON = "asked for by mutation"


async def by_global_id(context: Context, global_id: str) -> SettlementCycle | None:
    """The cycle of a global id, or None. Raises NotFound for an id of something else."""
    return await context.loaders.cycles.load(ids.decode_as("SettlementCycle", global_id, 1)[0])


async def progress(context: Context, global_id: str) -> AsyncIterator[SettlementCycle]:
    """A cycle as it is, and again whenever something about it changed, until it is over. Raises a Refusal."""
    cycle_id = ids.decode_as("SettlementCycle", global_id, 1)[0]
    async with context.house.waking.of(cycle_id, context.signed_in) as woken:
        while True:
            woken.clear()
            context.forget()
            cycle = await loaded(context, cycle_id)
            yield cycle
            if cycle.status in (CycleStatus.SETTLED, CycleStatus.ABORTED):
                return
            await woken.wait()


async def open_one(context: Context) -> SettlementCycle | None:
    """The open cycle; None before anything was ever owed."""
    async with context.runtime.database.reader() as session:
        return await queries.open_cycle(session)


async def newest(context: Context, asked: Window) -> Page[SettlementCycle]:
    """Cycles, newest first. Raises InvalidInput for last or before."""
    if asked.backward or asked.before is not None:
        raise InvalidInput(reason="cycles are listed forwards: give first and after", path=("last",))
    async with context.runtime.database.reader() as session:
        before = None if asked.after is None else asked.after[0]
        found = await queries.page(session, before=before, first=asked.size + 1)
        newest_cycle = await queries.open_cycle(session)

    async def total() -> int:
        return newest_cycle.number if newest_cycle is not None else 0

    return page(asked, list(found), lambda cycle: (str(cycle.number),), total)


async def lines(context: Context, cycle: SettlementCycle, asked: Window, merchant: str | None) -> Page[SeenLine]:
    """A page of a cycle's obligations: a merchant's own, with `merchant` those between the two of them."""
    parties = [party for party in (members_of(context.signed_in), _id_of(context, merchant)) if party is not None]
    async with context.runtime.database.reader() as session:
        found = await clearing.lines(
            session,
            cycle.id,
            parties,
            asked.size + 1,
            after=_place(asked.after),
            before=_place(asked.before),
            backward=asked.backward,
        )

    async def total() -> int:
        async with context.runtime.database.reader() as session:
            return await clearing.count(session, cycle.id, parties)

    return page(asked, await seen(context, found), lambda line: (line_id(context, line.row),), total)


def line_shape(context: Context) -> Shape:
    """How the cursors of a cycle's lines are read."""
    return (in_cursor(context),)


def _place(cursor: Cursor | None) -> clearing.Place | None:
    return None if cursor is None else cursor[0][1:]


def _id_of(context: Context, code: str | None) -> UUID | None:
    if code is None:
        return None
    merchant = context.runtime.catalogue.merchants.get(code)
    if merchant is None:
        raise NotFound(what=f"merchant {code[:40]!r}", path=("merchant",))
    return merchant.id


async def statement(context: Context, cycle: SettlementCycle, code: str) -> MerchantStatement | None:
    """A merchant's statement; None for another merchant's, or where there is none."""
    merchant = context.runtime.catalogue.merchants.get(code)
    if merchant is None or members_of(context.signed_in) not in (None, merchant.id):
        return None
    return await context.loaders.statements.load((cycle, merchant.id))


def who_was(context: Context, who: UUID) -> str:
    """Who took a step: the calendar, whoever was at the command line, or a client."""
    return {context.runtime.catalogue.alliance.id: "calendar", COMMAND_LINE: "command line"}.get(who, str(who))


async def close(context: Context, sent: Sent) -> SettlementCycle:
    """Close the cycle named, or the open one, and open the next. Raises a Refusal."""
    as_of = sent.get("asOf") or context.as_of
    cycle_id = _cycle_of(sent) if sent.get("cycle") is not None else None

    async def before() -> None:
        nonlocal cycle_id
        cycle_id = await _open_next(context, as_of, cycle_id)

    async def step(session: AsyncSession, about: dict[str, Any]) -> SettlementCycle:
        assert cycle_id is not None
        return await closing.close_cycle(session, cycle_id, **about | {"as_of": as_of})

    return await _step(context, "closeCycle", sent, step, before)


async def _open_next(context: Context, as_of: datetime, cycle_id: UUID | None) -> UUID:
    """Open the cycle after this one or the open one, and let all postings drain from it; its id. Raises a Refusal."""
    async with context.runtime.database.transaction() as session:
        begun = (await closing.open_next(session, as_of=as_of, cycle_id=cycle_id)).id
    async with context.runtime.database.reader() as session:
        await closing.drained(session)
    return begun


async def issue(context: Context, sent: Sent) -> SettlementCycle:
    """State a closed cycle to its parties. Raises a Refusal."""
    cycle_id = _cycle_of(sent)
    alliance = context.runtime.catalogue.alliance
    return await _step(
        context,
        "issueStatements",
        sent,
        lambda session, about: commands.issue_statements(session, alliance, cycle_id, **about),
    )


async def confirm(context: Context, sent: Sent) -> SettlementCycle:
    """Confirm a merchant's statement; the operator may confirm all that are left. Raises a Refusal.

    While objections are heard, where the alliance lets the operator consent for merchants, or for a reason.
    """
    cycle_id = _cycle_of(sent)
    code = sent.get("merchant")
    merchant_id = merchant_of(context, code).id if code is not None else context.own_merchant_id
    early = context.runtime.catalogue.alliance.consent == "operator" or bool(sent.get("reason"))
    how: dict[str, Any] = {"merchant_id": merchant_id, "own": context.own_merchant_id is not None, "early": early}
    return await _step(
        context,
        "confirmStatement",
        sent,
        lambda session, about: commands.confirm_statement(session, cycle_id, **how, **about),
    )


async def net(context: Context, sent: Sent) -> SettlementCycle:
    """Net a confirmed cycle. Raises a Refusal."""
    cycle_id = _cycle_of(sent)
    alliance = context.runtime.catalogue.alliance
    return await _step(
        context, "netCycle", sent, lambda session, about: commands.net_cycle(session, alliance, cycle_id, **about)
    )


async def settle(context: Context, sent: Sent) -> SettlementCycle:
    """Have a netted cycle's payments made. Raises a Refusal."""
    cycle_id = _cycle_of(sent)
    return await _step(
        context, "settleCycle", sent, lambda session, about: paying.settle_cycle(session, cycle_id, **about)
    )


async def receive(context: Context, sent: Sent) -> SettlementCycle:
    """Record payments as received: a merchant those made to it. Raises a Refusal."""
    cycle_id = _cycle_of(sent)
    alliance = context.runtime.catalogue.alliance
    currency = alliance.settlement_currency
    told: dict[str, Any] = {
        "alone": alliance.by_hand.limits.get(RECORD_RECEIPT),
        "number": sent.get("payment"),
        "payee_id": context.own_merchant_id,
        "amount": None if sent.get("amount") is None else _minor(sent["amount"], currency),
        "reference": sent.get("reference"),
    }
    return await _step(
        context,
        "recordReceipt",
        sent,
        lambda session, about: paying.record_receipts(session, cycle_id, **about, **told),
    )


def _minor(money: Sent, currency: str) -> int:
    """An amount in minor units. Raises InvalidInput for money of another currency."""
    if money["currency"] != currency:
        raise InvalidInput(reason=f"cycles are settled in {currency}", path=("amount", "currency"))
    return to_minor(money["amount"], currency)


async def abort(context: Context, sent: Sent) -> SettlementCycle:
    """Give a cycle up; its claims open the next. One that is open is closed first. Raises a Refusal."""
    cycle_id = _cycle_of(sent)
    alliance = context.runtime.catalogue.alliance
    about = _about(context, sent)

    async def before() -> None:
        async with context.runtime.database.reader() as session:
            cycle = (await queries.by_ids(session, [cycle_id])).get(cycle_id)
        if cycle is None or cycle.status != CycleStatus.OPEN:
            return
        await _open_next(context, context.as_of, cycle_id)
        async with context.runtime.database.transaction() as session:
            await closing.close_cycle(session, cycle_id, **about)

    return await _step(
        context,
        "abortCycle",
        sent,
        lambda session, about: commands.abort_cycle(session, alliance, cycle_id, **about),
        before,
    )


def _cycle_of(sent: Sent) -> UUID:
    try:
        return ids.decode_as("SettlementCycle", sent["cycle"], 1)[0]
    except NotFound:
        raise NotFound(what="cycle", path=("cycle",)) from None


def _about(context: Context, sent: Sent) -> dict[str, Any]:
    """Who takes a step, why, and as of when."""
    why = sent.get("reason") or DEFAULT_REASON
    return {"who": context.signed_in.subject, "why": why, "as_of": context.as_of}


async def _step(
    context: Context,
    name: str,
    sent: Sent,
    step: Callable[[AsyncSession, dict[str, Any]], Awaitable[SettlementCycle]],
    before: Callable[[], Awaitable[None]] | None = None,
) -> SettlementCycle:
    """Take a step once, recorded with who and why; the cycle is then read as it is now."""
    key = key_of(context, name, sent)
    about = _about(context, sent)

    async def act(session: AsyncSession) -> dict[str, Any]:
        return {"cycle": str((await step(session, about)).id)}

    outcome = await once(context, key, act, before)
    return await loaded(context, UUID(outcome["cycle"]))


async def loaded(context: Context, cycle_id: UUID) -> SettlementCycle:
    """A cycle as it is now. Raises NotFound."""
    cycle = await context.loaders.cycles.load(cycle_id)
    if cycle is None:
        raise NotFound(what="cycle", path=("cycle",))
    return cycle
