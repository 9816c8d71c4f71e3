"""Same key, same answer, for mutations that are one transaction and no posting."""

from collections.abc import Awaitable, Callable
from typing import Any

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from domain.errors import Refusal
from domain.ledger.keys import remember, remembered
from domain.ledger.request import Key
from resolvers.context import Context

TRIES = 3
Act = Callable[[AsyncSession], Awaitable[dict[str, Any]]]


async def once(
    context: Context, key: Key, act: Act, before: Callable[[], Awaitable[None]] | None = None
) -> dict[str, Any]:
    """What `act` answered to this key, now or the first time; both are JSON. Raises its Refusal, likewise.

    `before` has transactions of its own and is done before `act`, again where it was done and `act` was not. Of two
    calls with one key at a time, the later fails on the key's row, is run again, and finds the answer.
    """
    for left in reversed(range(TRIES)):
        try:
            return await _try(context, key, act, before)
        except IntegrityError:
            if not left:
                raise
    raise AssertionError("unreachable")


async def _try(context: Context, key: Key, act: Act, before: Callable[[], Awaitable[None]] | None) -> dict[str, Any]:
    holder_id = context.signed_in.subject
    refusal: Refusal
    async with context.runtime.database.reader() as session:
        known = await remembered(session, key)
    if known is not None:
        return known
    try:
        if before is not None:
            await before()
        async with context.runtime.database.transaction() as session:
            outcome = await act(session)
            await remember(session, key, holder_id, outcome)
            return outcome
    except Refusal as refused:
        refusal = refused
    if refusal.remembered:
        async with context.runtime.database.transaction() as session:
            await remember(session, key, holder_id, {"refusal": refusal.to_json()})
    raise refusal
