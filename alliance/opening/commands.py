"""A table of opening balances, a chunk at a time: checked whole; then members are enrolled and balances posted."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.clearing.tiers import adjusting
from alliance.opening import rules
from alliance.opening.errors import RepeatedReference
from alliance.opening.model import Asked, Columns, Row, Tally
from alliance.runtime import Runtime
from domain.errors import IdempotencyConflict, NotFound, Refusal
from domain.ledger.errors import MemberNotActive
from domain.ledger.opening import Opening
from domain.ledger.request import Outcome
from domain.members import foresight
from domain.members.commands import enrol_many
from domain.members.model import Enrolled, MemberStatus, Resolved
from domain.members.queries import by_ids, resolve

_BEGIN = (
    "DROP TABLE IF EXISTS pg_temp.told",
    "CREATE TEMPORARY TABLE told (reference text PRIMARY KEY)",
)
_TELL = text("""
    INSERT INTO pg_temp.told SELECT unnest(CAST(:references AS text[])) ON CONFLICT DO NOTHING RETURNING reference
""")
_KNOWN = text("""
    SELECT key, fingerprint FROM idempotency_key
    WHERE client_id = :client AND subject = :client AND key = ANY(CAST(:keys AS text[]))
""")


class Refused(NamedTuple):
    """A row that is not taken, and why; the path is the column."""

    row: Row
    refusal: Refusal


@dataclass(slots=True)
class Import:
    """One table on its way in: `name` is a hash of the file, `secret` that of the fingerprints of keys.

    `settled`, a byte a row, says which of the rows that were checked are not to be posted.
    """

    runtime: Runtime
    columns: Columns
    name: str
    secret: bytes
    as_of: datetime
    settled: bytearray = field(default_factory=bytearray)
    planned: Tally = field(default_factory=Tally)
    done: Tally = field(default_factory=Tally)

    async def begin(self, session: AsyncSession) -> None:
        """Before the first `check`. What rows say of those after them lies with this session's connection."""
        await foresight.begin(session)
        for statement in _BEGIN:
            await session.execute(text(statement))

    async def check(self, session: AsyncSession, rows: Sequence[Row]) -> list[Refused]:
        """Check rows, after all that were checked before. Writes nothing; counts in `planned`."""
        asked: list[Asked | Refusal | None] = [self._read(row) for row in rows]
        for step in (self._repeated, self._known, self._owned):
            _keep(asked, await step(session, [one for one in asked if isinstance(one, Asked)]))
        refused = []
        for row, one in zip(rows, asked, strict=True):
            if isinstance(one, Asked):
                self.planned.add(one.request.currency, one.request.points)
            elif one is None:
                self.planned.known += 1
            else:
                refused.append(Refused(row, one))
        self.settled += bytes(not isinstance(one, Asked) for one in asked)
        self.planned.rows += len(rows)
        self.planned.refused += len(refused)
        return refused

    async def post(self, rows: Sequence[Row]) -> list[Refused]:
        """Enrol the members of checked rows, and post their balances. Counts in `done`; raises only faults."""
        rows = [row for row in rows if not self.settled[row.number - 1]]
        asked: list[Asked | Refusal | None] = [self._read(row) for row in rows]
        good = [one for one in asked if isinstance(one, Asked)]
        async with self.runtime.database.transaction() as session:
            enrolled = await enrol_many(session, self.runtime.catalogue, [one.ask for one in good if one.ask])
            members = await self._members(session, good, enrolled)
        self.done.enrolled += sum(isinstance(one, Enrolled) and one.created for one in enrolled)
        _keep(asked, [one if isinstance(one, Refusal) else asks for asks, one in zip(good, members, strict=True)])
        for one, member in zip(good, members, strict=True):
            if isinstance(member, UUID):
                one.request.holder_id = member
                one.request.riders = adjusting(self.runtime, one.request.currency, member, self.as_of)
        posting = [one.request for one in asked if isinstance(one, Asked)]
        outcomes = await self.runtime.engine.post_many(posting)
        _keep(asked, [self._counted(request, one) for request, one in zip(posting, outcomes, strict=True)])
        refused = [Refused(row, one) for row, one in zip(rows, asked, strict=True) if isinstance(one, Refusal)]
        self.done.rows += len(rows)
        self.done.refused += len(refused)
        return refused

    def _counted(self, request: Opening, outcome: Outcome) -> Refusal | None:
        if isinstance(outcome, Refusal):
            return outcome
        if outcome.duplicate:
            self.done.known += 1
        else:
            self.done.add(request.currency, request.points)
        return None

    def _read(self, row: Row) -> Asked | Refusal:
        catalogue = self.runtime.catalogue
        try:
            return rules.read(catalogue, self.columns, row, table=self.name, secret=self.secret, as_of=self.as_of)
        except Refusal as refusal:
            return refusal

    async def _repeated(self, session: AsyncSession, asked: Sequence[Asked]) -> list[Asked | Refusal | None]:
        """Refuse what an earlier row of the table is called too."""
        names = [one.name for one in asked]
        fresh = set(await session.scalars(_TELL, {"references": list(dict.fromkeys(names))}))
        answers: list[Asked | Refusal | None] = []
        for one in asked:
            repeated = RepeatedReference(reference=one.name, path=("reference",))
            answers.append(one if one.name in fresh else repeated)
            fresh.discard(one.name)
        return answers

    async def _known(self, session: AsyncSession, asked: Sequence[Asked]) -> list[Asked | Refusal | None]:
        """Pass over what was posted before; refuse what was posted before with other content."""
        keys = {"client": rules.IMPORTER, "keys": [one.name for one in asked]}
        known = {row.key: row.fingerprint for row in await session.execute(_KNOWN, keys)}
        answers: list[Asked | Refusal | None] = []
        for one in asked:
            same = known.get(one.name) == one.key.fingerprint
            other = IdempotencyConflict(path=("reference",))
            answers.append(one if one.name not in known else None if same else other)
        return answers

    async def _owned(self, session: AsyncSession, asked: Sequence[Asked]) -> list[Asked | Refusal | None]:
        """Refuse those whose member cannot be, or is not active; count whom it takes to enrol."""
        foreseen = await foresight.foresee(session, self.runtime.catalogue, [one.ask for one in asked if one.ask])
        self.planned.enrolled += sum(isinstance(one, Enrolled) and one.created for one in foreseen)
        members = await self._members(session, asked, foreseen)
        known = await by_ids(session, [one for one in members if isinstance(one, UUID)])
        answers: list[Asked | Refusal | None] = []
        for one, member in zip(asked, members, strict=True):
            status = known[member].status if isinstance(member, UUID) and member in known else MemberStatus.ACTIVE
            if isinstance(member, Refusal):
                answers.append(member)
            elif status != MemberStatus.ACTIVE:
                answers.append(MemberNotActive(status=status, path=one.path))
            else:
                answers.append(one)
        return answers

    async def _members(
        self, session: AsyncSession, asked: Sequence[Asked], enrolled: Sequence[Enrolled | Refusal]
    ) -> list[UUID | Refusal]:
        """Whom each row names: `enrolled` are those whom identifiers do; a number is that of a member of the issuer."""
        numbers = [(one.merchant, one.number) for one in asked if one.number is not None]
        named = iter(await resolve(session, self.runtime.catalogue, numbers) if numbers else [])
        shown = iter(enrolled)
        members: list[UUID | Refusal] = []
        for one in asked:
            found = next(shown) if one.ask is not None else next(named)
            if isinstance(found, Enrolled) or (isinstance(found, Resolved) and found.joined):
                members.append(found.member_id)
            elif one.ask is None:
                members.append(NotFound(what=f"member {one.number} of {one.merchant}", path=("number",)))
            else:
                assert isinstance(found, Refusal)
                members.append(one.placed(found))
        return members


def _keep(asked: list[Asked | Refusal | None], answers: Sequence[Asked | Refusal | None]) -> None:
    """Put the answers in the places of those that were still asked."""
    places = [place for place, one in enumerate(asked) if isinstance(one, Asked)]
    for place, answer in zip(places, answers, strict=True):
        asked[place] = answer
