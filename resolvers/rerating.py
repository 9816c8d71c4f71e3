"""Re-ratings: looked at and asked for by the operator, seen by the merchants of the agreement (A11, A14)."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from alliance.approvals.model import Approval
from alliance.rerating import commands, queries
from alliance.rerating.commands import Asked, Preview
from alliance.rerating.model import Rerate
from alliance.rerating.queries import Corrected
from alliance.rerating.rules import Priced
from domain.errors import InvalidInput, NotFound
from domain.money import PRICE, scaled
from resolvers import approvals, ids
from resolvers.approvals import about, told
from resolvers.context import Context
from resolvers.once import once
from resolvers.pages import Page, Window, page
from resolvers.reach import members_of
from resolvers.sent import Sent, key_of

SHAPE = (UUID,)
_PLACES = len(str(PRICE)) - 1


@dataclass(frozen=True, slots=True)
class AskedFor:
    """What a re-rating does, or would; and what waits for a second person."""

    preview: Preview
    approval: Approval | None = None


async def look(context: Context, sent: Sent) -> Preview:
    """What a re-rating would do. Raises InvalidInput, NotFound."""
    async with context.runtime.database.reader() as session:
        return await commands.preview(session, context.runtime, _asked(context, sent), context.as_of)


async def ask(context: Context, sent: Sent) -> AskedFor:
    """Ask for a re-rating, unless it is a dry run. Raises a Refusal."""
    asked = _asked(context, sent)
    seen = await look(context, sent)
    if sent.get("dryRun"):
        return AskedFor(seen)

    async def act(session: AsyncSession) -> dict[str, Any]:
        return told(await commands.rerate(session, context.runtime, asked, about(context, sent)))

    outcome = await once(context, key_of(context, "rerate", sent), act)
    return AskedFor(seen, await approvals.load(context, UUID(outcome["approval"])))


async def again(context: Context, sent: Sent) -> Rerate:
    """Have one go over its lines again. Raises a Refusal."""
    try:
        id_ = ids.decode_as("Rerate", sent["rerate"], 1)[0]
    except NotFound:
        raise NotFound(what="re-rating", path=("rerate",)) from None

    async def act(session: AsyncSession) -> dict[str, Any]:
        await commands.run_again(session, id_, context.as_of)
        return {}

    await once(context, key_of(context, "rerateAgain", sent), act)
    found = await load(context, id_)
    assert found is not None
    return found


def _asked(context: Context, sent: Sent) -> Asked:
    """What was sent. Raises InvalidInput, NotFound."""
    currency = context.runtime.catalogue.alliance.settlement_currency
    prices: dict[tuple[Priced, str], int] = {}
    for index, one in enumerate(sent.get("prices") or ()):
        if one["price"]["currency"] != currency:
            raise InvalidInput(reason=f"cycles are settled in {currency}", path=("prices", str(index), "price"))
        prices[Priced(one["kind"]), one["currency"]] = scaled(one["price"]["amount"], _PLACES)
    try:
        agreement_id = ids.decode_as("Agreement", sent["agreement"], 1)[0]
    except NotFound:
        raise NotFound(what="agreement", path=("agreement",)) from None
    return Asked(agreement_id, sent["from"], sent["to"], sent.get("version"), prices)


async def by_global_id(context: Context, global_id: str) -> Rerate | None:
    """The re-rating of a global id, if it is in reach. Raises NotFound for an id of something else."""
    return await load(context, ids.decode_as("Rerate", global_id, 1)[0])


async def load(context: Context, id_: UUID) -> Rerate | None:
    """As it stands now."""
    async with context.runtime.database.reader() as session:
        return await queries.by_id(session, id_, members_of(context.signed_in))


async def listed(context: Context, asked: Window) -> Page[Rerate]:
    """Re-ratings in reach, newest first. Raises InvalidInput for last or before."""
    if asked.backward or asked.before is not None:
        raise InvalidInput(reason="re-ratings are listed forwards: give first and after", path=("last",))
    party = members_of(context.signed_in)
    before = None if asked.after is None else asked.after[0]
    async with context.runtime.database.reader() as session:
        found = await queries.page(session, party, asked.size + 1, before)

    async def total() -> int:
        async with context.runtime.database.reader() as session:
            return await queries.count(session, party)

    return page(asked, list(found), lambda row: (str(row.id),), total)


async def corrected(context: Context, row: Rerate) -> list[Corrected]:
    """What a re-rating made of lines: to a merchant, of its own."""
    party = members_of(context.signed_in)

    async def load_all(session: AsyncSession, keys: list[UUID]) -> list[list[Corrected]]:
        found = await queries.corrected(session, keys, party)
        return [found[key] for key in keys]

    return await context.loaders.one_of("re-rated lines", load_all).load(row.id)
