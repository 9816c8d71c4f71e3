"""What a creditor gives up by hand: a merchant its own, the operator its own and, for others, theirs (A14, A16)."""

from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from alliance.approvals.model import Approval
from alliance.waivers import commands
from domain.errors import InvalidInput, NotFound
from domain.money import MICRO, scaled
from resolvers import approvals
from resolvers.context import Context
from resolvers.lines import place_of
from resolvers.once import once
from resolvers.sent import Sent, key_of

GivenUp = tuple[int | None, Approval | None]
"""How much was given up, in millionths, or what waits for a second person."""


async def waive(context: Context, sent: Sent) -> GivenUp:
    """Waive a fee or interest, or part of it. Raises a Refusal."""
    place = place_of(context, sent["line"], ("line",))
    amount = None if sent.get("amount") is None else _micro(context, sent["amount"])

    async def act(session: AsyncSession) -> dict[str, Any]:
        about = approvals.about(context, sent)
        return approvals.told(await commands.waive_or_ask(session, context.runtime, place, amount, about))

    return await _outcome(context, await once(context, key_of(context, "waiveFee", sent), act))


async def write_off(context: Context, sent: Sent) -> GivenUp:
    """Give up part of what a partner owes in the open cycle. Raises a Refusal."""
    creditor = _party(context, sent["merchant"], "merchant")
    debtor = _party(context, sent["against"], "against")
    if context.own_merchant_id not in (None, creditor):
        raise NotFound(what="merchant", path=("merchant",))
    amount = _micro(context, sent["amount"])

    async def act(session: AsyncSession) -> dict[str, Any]:
        about = approvals.about(context, sent)
        return approvals.told(
            await commands.write_off_or_ask(session, context.runtime, creditor, debtor, amount, about)
        )

    return await _outcome(context, await once(context, key_of(context, "writeOffBalance", sent), act))


def _party(context: Context, code: str, name: str) -> UUID:
    """A merchant, or under the alliance's code the operator. Raises NotFound."""
    catalogue = context.runtime.catalogue
    if code == catalogue.alliance.code:
        return catalogue.alliance.id
    merchant = catalogue.merchants.get(code)
    if merchant is None:
        raise NotFound(what=f"merchant {code[:40]!r}", path=(name,))
    return merchant.id


def _micro(context: Context, money: Sent) -> int:
    """An amount in millionths. Raises InvalidInput for money of another currency."""
    currency = context.runtime.catalogue.alliance.settlement_currency
    if money["currency"] != currency:
        raise InvalidInput(reason=f"merchants settle in {currency}", path=("amount", "currency"))
    return scaled(money["amount"], len(str(MICRO)) - 1)


async def _outcome(context: Context, kept: dict[str, Any]) -> GivenUp:
    if "approval" in kept:
        return None, await approvals.load(context, UUID(kept["approval"]))
    return int(kept["amount"]), None
