"""What an operation makes owed, or would: told to its parties and to the alliance, never to members (A14)."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from alliance.clearing import preview
from alliance.clearing.model import ObligationKind
from alliance.clearing.preview import Line, Share
from alliance.settlement.rules import minor_unit
from domain.ledger.request import Posted
from domain.programs.catalogue import Currency
from domain.programs.rules import worth_of
from resolvers.context import Context


async def obligations(context: Context, posted: Posted) -> list[Line]:
    """The lines that the viewer is a party to; of a dry run, what it would write."""
    own = context.own_merchant_id
    return [line for line in await _lines(context, posted) if own in (None, line.owed.debtor_id, line.owed.creditor_id)]


async def _lines(context: Context, posted: Posted) -> Sequence[Line]:
    if posted.would is not None:
        return preview.lines_of(posted.would)
    if posted.operation_id is None:
        return ()
    return await context.loaders.one_of("made owed", _load).load((posted.holder_id, posted.operation_id))


async def _load(session: AsyncSession, keys: list[tuple[UUID, UUID]]) -> list[list[Line]]:
    found = await preview.lines(session, keys)
    return [found[key] for key in keys]


def funding(context: Context, posted: Posted, currency: Currency) -> list[Share] | None:
    """Who would pay for the points of a dry run; None for others, and for a merchant that is none of them."""
    if posted.would is None:
        return None
    shares = preview.shares_of(posted.would, currency.merchant_id)
    concerned = {currency.merchant_id, *(share.merchant_id for share in shares)}
    return shares if context.own_merchant_id in (None, *concerned) else None


async def contribution(context: Context, posted: Posted, currency: Currency) -> int | None:
    """What a redemption costs the merchant where it is, in millionths: worth less what it is paid for it (A1).

    None where that is the issuer's, where no worth is published in the settlement currency, or for another merchant.
    """
    spends = [line.owed for line in await obligations(context, posted) if line.owed.kind is ObligationKind.SPEND]
    worth = worth_of(currency, posted.points, context.as_of)
    alliance = context.runtime.catalogue.alliance
    if not spends or worth is None or worth[1] != alliance.settlement_currency:
        return None
    if context.own_merchant_id not in (None, spends[0].creditor_id):
        return None
    return worth[0] * minor_unit(worth[1]) - sum(owed.amount for owed in spends)
