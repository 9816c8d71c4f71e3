"""Rings of gifts, for who watches over the alliance."""

from collections.abc import Sequence
from datetime import datetime

from alliance.gifts.rings import LONGEST, Ring, rings
from domain.errors import InvalidInput
from resolvers.context import Context
from resolvers.pages import MOST


async def found(context: Context, since: datetime, until: datetime | None, longest: int, first: int) -> Sequence[Ring]:
    """The rings in which most points went round. Raises InvalidInput."""
    if longest not in LONGEST:
        raise InvalidInput(reason=f"longest must lie within {LONGEST[0]} and {LONGEST[-1]}", path=("longest",))
    if not 1 <= first <= MOST:
        raise InvalidInput(reason=f"first must lie within 1 and {MOST}", path=("first",))
    async with context.runtime.database.reader() as session:
        return await rings(session, since, until or context.as_of, longest, first)
