"""Statements of cycles as files: whose a viewer may have (A14)."""

from alliance.statements import queries
from alliance.statements.model import Head
from domain.errors import NotFound
from resolvers.context import Context
from resolvers.reach import members_of


async def statement(context: Context, cycle: int, code: str) -> Head:
    """What the statement of a merchant, or under the alliance's code the operator, begins with.

    Raises NotFound for one that was not issued, and for another merchant's.
    """
    catalogue = context.runtime.catalogue
    merchant = catalogue.merchants.get(code)
    party = merchant.id if merchant is not None else catalogue.alliance.id if code == catalogue.alliance.code else None
    if party is None or members_of(context.signed_in) not in (None, party):
        raise NotFound(what="statement", path=("merchant",))
    async with context.runtime.database.reader() as session:
        return await queries.head(session, catalogue, cycle, party)
