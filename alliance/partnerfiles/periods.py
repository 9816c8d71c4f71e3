"""For which period a file is sent: a cycle that is over, or a day."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from alliance.partnerfiles.commands import Submission
from alliance.partnerfiles.shape import OWN
from alliance.partnerfiles.work import cycles_of_day
from alliance.settlement.errors import WrongCycleStatus
from alliance.settlement.model import CycleStatus
from alliance.settlement.queries import by_numbers
from domain.errors import InvalidInput, NotFound
from domain.programs.catalogue import Catalogue, Merchant


async def submission(
    session: AsyncSession,
    catalogue: Catalogue,
    merchant: Merchant,
    *,
    cycle: int | None,
    day: date | None,
    mapping: str | None = None,
    partner: str | None = None,
    dry_run: bool = False,
    as_of: datetime,
) -> Submission:
    """What a file of this merchant is reconciled with. Raises InvalidInput, NotFound, WrongCycleStatus."""
    if (cycle is None) == (day is None):
        raise InvalidInput(reason="give either the cycle or the day", path=("cycle",))
    name = mapping or OWN
    if name != OWN and name not in merchant.partner_files:
        raise NotFound(what="mapping", path=("mapping",))
    partner = partner or merchant.partner_files.get(name, {}).get("partner")
    other_id = None if partner is None else _partner(catalogue, merchant, partner)
    if day is None:
        found = (await by_numbers(session, [cycle or 0])).get(cycle or 0)
        if found is None:
            raise NotFound(what="cycle", path=("cycle",))
        if found.status in (CycleStatus.OPEN, CycleStatus.ABORTED):
            needed = CycleStatus.CLOSED
            raise WrongCycleStatus(number=found.number, status=found.status, needed=needed, path=("cycle",))
        return Submission(found.id, None, name, other_id, dry_run)
    if day > as_of.astimezone(merchant.timezone).date():
        raise InvalidInput(reason="that day has not come", path=("day",))
    cycles = await cycles_of_day(session, day, merchant)
    if not cycles:
        raise NotFound(what="cycle", path=("day",))
    return Submission(cycles[-1].id, day, name, other_id, dry_run)


def _partner(catalogue: Catalogue, merchant: Merchant, code: str) -> UUID:
    found = catalogue.alliance if code == catalogue.alliance.code else catalogue.merchants.get(code)
    if found is None or found.id == merchant.id:
        raise NotFound(what="merchant", path=("partner",))
    return found.id
