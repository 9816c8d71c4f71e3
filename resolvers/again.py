"""Asking again who is meant, where a member was merged while a call was under way."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from domain.ledger.errors import MemberMerged
from resolvers.context import Context

T = TypeVar("T")

TRIES = 3


async def again(context: Context, act: Callable[[], Awaitable[T]]) -> T:
    """What `act` answers; it is done anew where it named a member who has become another meanwhile.

    Nothing was posted then, and the key is not spent: whom the call means is looked up again.
    """
    for _ in range(TRIES - 1):
        try:
            return await act()
        except MemberMerged:
            context.forget()
    return await act()
