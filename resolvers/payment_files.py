"""Files of payments for banks: a merchant's own; the operator's, and all others, for the operator (A14)."""

from sqlalchemy.ext.asyncio import AsyncSession

from alliance.banking import releasing
from alliance.banking.orders import PaymentFile
from alliance.banking.queries import Standing, standings
from alliance.settlement import queries
from alliance.settlement.model import Payment, SettlementCycle
from domain.errors import NotFound
from resolvers.context import Context
from resolvers.reach import members_of


async def of_cycle(context: Context, cycle: SettlementCycle) -> list[PaymentFile]:
    """What was released of a cycle, and what waits. Raises AccountMissing."""
    async with context.runtime.database.reader() as session:
        return await releasing.files_of(session, cycle, members_of(context.signed_in))


async def one(context: Context, number: int, message_id: str) -> PaymentFile:
    """A file of a cycle. Raises NotFound, also for another merchant's; AccountMissing."""
    async with context.runtime.database.reader() as session:
        cycle = (await queries.by_numbers(session, [number])).get(number)
    files = [] if cycle is None else await of_cycle(context, cycle)
    found = next((file for file in files if file.message_id == message_id), None)
    if found is None:
        raise NotFound(what="payment file", path=("file",))
    return found


async def standing(context: Context, cycle: SettlementCycle, payment: Payment) -> Standing:
    """Where a payment stands with banks; those of a call are asked for at once."""

    async def load(session: AsyncSession, asked: list[tuple[SettlementCycle, Payment]]) -> list[Standing]:
        today = context.as_of.astimezone(context.runtime.catalogue.alliance.timezone).date()
        return await standings(session, asked, today)

    return await context.loaders.one_of("payment standings", load).load((cycle, payment))
