"""What issuers still owe for points that are out: a merchant sees its own, the operator and auditors all (A14)."""

from datetime import date

from alliance.liability import queries
from alliance.liability.queries import Cohort, Liability, Programme
from domain.errors import InvalidInput, NotFound
from resolvers.context import Context
from resolvers.pages import Page, Window, cut

COHORT_SHAPE = (str,)


async def one(context: Context, code: str | None, month: str | None) -> Liability | None:
    """A merchant's closed month: by default the caller's own, and the last. None while it is not closed, and out of
    reach. Raises NotFound, InvalidInput."""
    own = context.own_merchant_id
    if code is None and own is None:
        raise InvalidInput(reason="say which merchant's", path=("merchant",))
    merchant = context.runtime.catalogue.merchants.get(code) if code is not None else None
    if code is not None and merchant is None:
        raise NotFound(what=f"merchant {code[:40]!r}", path=("merchant",))
    merchant_id = own if merchant is None else merchant.id
    if merchant_id is None or own not in (None, merchant_id):
        return None
    asked = None if month is None else _month(month)
    async with context.runtime.database.reader() as session:
        last = asked or await queries.last_month(session, merchant_id)
        return None if last is None else await queries.liability(session, merchant_id, last)


def cohorts(programme: Programme, asked: Window) -> Page[Cohort]:
    """A page of a programme's cohorts, oldest first."""
    return cut(asked, list(programme.cohorts), lambda cohort: (cohort.issued.isoformat(),))


def _month(text: str) -> date:
    try:
        if len(text) == len("2027-03"):
            return date.fromisoformat(f"{text}-01")
    except ValueError:
        pass
    raise InvalidInput(reason="is not a month such as 2027-03", path=("month",))
