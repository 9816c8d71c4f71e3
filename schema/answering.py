"""How a mutation answers: with what came of it, or with why not."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar, cast

from domain.errors import Refusal
from resolvers.again import again
from resolvers.context import Context
from schema.node import Info
from schema.refusals import IdempotencyConflict, InvalidInput, NotAllowed, NotFound, UserError, shown

T = TypeVar("T")
Sent = Mapping[str, Any]

Shared = InvalidInput | NotFound | NotAllowed | IdempotencyConflict
"""What every mutation may answer."""


async def answer(info: Info, input: object, act: Callable[[Context, Sent], Awaitable[T]]) -> T | UserError:
    """What `act` made of the input as it was sent, or the refusal as clients see it.

    What was loaded before it, or for it, is loaded again for the answer: it may have changed.
    """
    info.context.forget()
    try:
        return await again(info.context, lambda: act(info.context, cast("Sent", input)))
    except Refusal as refusal:
        return shown(refusal, info.context.language)
    finally:
        info.context.forget()
