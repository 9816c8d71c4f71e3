"""Objections to lines of a statement: what a merchant sends, and what both sides of a line see."""

from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from alliance.disputes.commands import object_to_lines
from alliance.disputes.model import ObjectionReason
from alliance.disputes.rules import Objected
from alliance.settlement.model import SettlementCycle
from domain.errors import InvalidInput, NotFound
from domain.money import MICRO, PRICE, scaled
from resolvers import ids
from resolvers.context import Context
from resolvers.cycles import loaded
from resolvers.lines import place_of
from resolvers.once import once
from resolvers.sent import Sent, key_of

PRICE_PLACES = len(str(PRICE)) - 1
MICRO_PLACES = len(str(MICRO)) - 1


async def object_(context: Context, sent: Sent) -> SettlementCycle:
    """Object to lines of the caller's statement, all or none. Raises a Refusal."""
    merchant_id = context.signed_in.merchant_id
    if merchant_id is None:
        raise InvalidInput(reason="only a merchant objects to its statement", path=("cycle",))
    try:
        cycle_id = ids.decode_as("SettlementCycle", sent["cycle"], 1)[0]
    except NotFound:
        raise NotFound(what="cycle", path=("cycle",)) from None
    alliance = context.runtime.catalogue.alliance
    objections = [
        objected(context, one, alliance.settlement_currency, ("lines", str(index)))
        for index, one in enumerate(sent["lines"])
    ]

    async def act(session: AsyncSession) -> dict[str, Any]:
        cycle = await object_to_lines(
            session,
            alliance,
            cycle_id,
            objections,
            merchant_id=merchant_id,
            who=context.signed_in.subject,
            as_of=context.as_of,
        )
        return {"cycle": str(cycle.id)}

    outcome = await once(context, key_of(context, "objectToLines", sent), act)
    return await loaded(context, UUID(outcome["cycle"]))


def objected(context: Context, sent: Sent, currency: str, path: tuple[str, ...]) -> Objected:
    """An objection as it was sent, at `path`. Raises InvalidInput, NotFound."""
    reason = ObjectionReason(sent["reason"])
    places = PRICE_PLACES if reason == ObjectionReason.WRONG_PRICE else MICRO_PLACES
    expected, other = sent.get("expected"), sent.get("other")
    if expected is not None and expected["currency"] != currency:
        raise InvalidInput(reason=f"cycles are settled in {currency}", path=(*path, "expected", "currency"))
    return Objected(
        place=place_of(context, sent["line"], (*path, "line")),
        reason=reason,
        expected=None if expected is None else scaled(expected["amount"], places),
        other=None if other is None else place_of(context, other, (*path, "other")),
    )
