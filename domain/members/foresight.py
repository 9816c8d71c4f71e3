"""What enrolments would come to, without enrolling anybody: for whoever checks all of them before the first one."""

from collections.abc import Sequence

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from domain.errors import Refusal
from domain.members import rules
from domain.members.commands import known_of, wanted_of
from domain.members.model import EnrolAsk, Enrolled, MemberStatus
from domain.members.rules import Known, Wanted
from domain.members.sealing import hashed, key_columns
from domain.programs.catalogue import Catalogue

_BEGIN = (
    "DROP TABLE IF EXISTS pg_temp.foreseen",
    """CREATE TEMPORARY TABLE foreseen
       (type text, issuer text, value text, holder_id uuid, PRIMARY KEY (type, issuer, value))""",
)
_FORESEEN = text("""
    SELECT type, issuer, value, holder_id
    FROM unnest(CAST(:types AS text[]), CAST(:issuers AS text[]), CAST(:values AS text[])) AS a (type, issuer, value)
    JOIN pg_temp.foreseen USING (type, issuer, value)
""")
_KEEP = text("""
    INSERT INTO pg_temp.foreseen
    SELECT * FROM unnest(CAST(:types AS text[]), CAST(:issuers AS text[]), CAST(:values AS text[]),
                         CAST(:holders AS uuid[]))
""")


async def begin(session: AsyncSession) -> None:
    """Before the first `foresee` over this session, which must keep its connection: what is foreseen lies there."""
    for statement in _BEGIN:
        await session.execute(text(statement))


async def foresee(session: AsyncSession, catalogue: Catalogue, asks: Sequence[EnrolAsk]) -> list[Enrolled | Refusal]:
    """As `enrol_many`, after all that was foreseen before; the members that would be made have no number yet."""
    checked = [wanted_of(catalogue, ask) for ask in asks]
    wants = [want for want in checked if isinstance(want, Wanted)]
    answers = iter(await _foreseen(session, wants) if wants else [])
    return [want if isinstance(want, Refusal) else next(answers) for want in checked]


async def _foreseen(session: AsyncSession, wants: Sequence[Wanted]) -> list[Enrolled | Refusal]:
    known = await known_of(session, wants)
    await _recall(session, wants, known)
    plan = rules.enrolment(wants, known)
    if plan.links:
        holders = [holder_id for holder_id, _ in plan.links.values()]
        await session.execute(_KEEP, {**key_columns(session, plan.links), "holders": holders})
    return plan.answers


async def _recall(session: AsyncSession, wants: Sequence[Wanted], known: Known) -> None:
    """Add what was foreseen before. Only who is active would have been linked to anything."""
    keys = {key for want in wants for key in (*want.keys, *want.unproven)} - known.owners.keys()
    shown = {(key[0], key[1], hashed(session, key)): key for key in keys}
    for type_, issuer, value, holder_id in await session.execute(_FORESEEN, key_columns(session, keys)):
        known.owners[shown[type_, issuer, value]] = holder_id
        known.members.setdefault(holder_id, ("", MemberStatus.ACTIVE))
