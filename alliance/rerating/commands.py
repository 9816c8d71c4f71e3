"""Re-rating: looked at, asked for, and carried out in blocks, each in the caller's transaction."""

import uuid
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any

from sqlalchemy import func, insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.agreements.book import AgreementVersion
from alliance.agreements.model import AgreementRow
from alliance.agreements.rules import midnight
from alliance.approvals.commands import ACTS, About, Waiting, act_or_ask
from alliance.clearing.rules import PRICE_OF_MILLIONTHS
from alliance.corrections.commands import Line, book
from alliance.corrections.model import Cause
from alliance.rerating import queries
from alliance.rerating.errors import NothingToRerate
from alliance.rerating.model import RERATE_LOCK, Rerate, RerateLine
from alliance.rerating.queries import Scope
from alliance.rerating.rules import Priced, Repriced, Terms, Why, reprice
from alliance.runtime import Runtime
from domain.errors import InvalidInput, NotFound
from domain.events.commands import add_event, add_jobs
from domain.events.kinds import EventKind
from domain.events.model import NewJob
from domain.events.progress import moved

ACT = "RERATE"
ACTOR = "rerate"

BLOCK = 1000
"""Lines that are looked up, and put right, in one transaction."""

SAMPLES = 20
MOST_LOOKED_AT = 200_000
"""Lines after which a preview ends, and says so."""

FIRST = uuid.UUID(int=0)


@dataclass(frozen=True, slots=True)
class Asked:
    """Lines of `agreement_id` of the days from `first` to before `before`, and what is right: the terms of its version
    `version`, or `prices` (10^-8) by what is priced and the currency."""

    agreement_id: uuid.UUID
    first: date
    before: date
    version: int | None = None
    prices: Mapping[tuple[Priced, str], int] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """As an approval keeps it."""
        prices = {f"{priced}:{currency}": price for (priced, currency), price in self.prices.items()}
        days = {"from": self.first.isoformat(), "to": self.before.isoformat()}
        return {"agreement": str(self.agreement_id), **days, "version": self.version, "prices": prices or None}

    @classmethod
    def of(cls, kept: Mapping[str, Any]) -> "Asked":
        """The opposite of `to_json`."""
        parts = [(name.partition(":"), price) for name, price in (kept["prices"] or {}).items()]
        return cls(
            agreement_id=uuid.UUID(kept["agreement"]),
            first=date.fromisoformat(kept["from"]),
            before=date.fromisoformat(kept["to"]),
            version=kept["version"],
            prices={(Priced(priced), currency): price for (priced, _, currency), price in parts},
        )


@dataclass(slots=True)
class Moved:
    """What lines between two parties of a cycle come to (`before`), and would (`after`); millionths."""

    lines: int = 0
    before: int = 0
    after: int = 0


@dataclass(slots=True)
class Preview:
    """What a re-rating would do: by debtor, creditor and cycle; the first lines; how many are left, and why.

    `looked_at` lines were; not `complete` if there are more than anybody waits for.
    """

    totals: dict[tuple[uuid.UUID, uuid.UUID, uuid.UUID], Moved] = field(default_factory=lambda: defaultdict(Moved))
    samples: list[Repriced] = field(default_factory=list)
    left: Counter[Why] = field(default_factory=Counter)
    looked_at: int = 0
    complete: bool = True

    @property
    def lines(self) -> int:
        """How many would be put right."""
        return sum(total.lines for total in self.totals.values())


async def prepare(session: AsyncSession, runtime: Runtime, asked: Asked, as_of: datetime) -> tuple[Scope, Terms]:
    """What the re-rating is about, and what is right. Raises NotFound, InvalidInput."""
    agreement = await session.get(AgreementRow, asked.agreement_id)
    if agreement is None:
        raise NotFound(what="agreement", path=("agreement",))
    if asked.before <= asked.first:
        raise InvalidInput(reason="must be after from; it is the first day that does not count", path=("to",))
    if (asked.version is None) == (not asked.prices):
        raise InvalidInput(reason="give a version or prices", path=("version",))
    for (priced, currency), price in asked.prices.items():
        if price < 0 or price % PRICE_OF_MILLIONTHS:
            raise InvalidInput(reason=f"{priced} of {currency[:40]} is no whole millionths a point", path=("prices",))
    catalogue = runtime.catalogue
    pair = frozenset((agreement.merchant_a, agreement.merchant_b))
    versions = {one.version: one for one in runtime.agreements.pairs.get(pair, ())}
    if asked.version is not None and asked.version not in versions:
        raise NotFound(what=f"version {asked.version} that is or was in force", path=("version",))
    issuers = {kind.code: kind.merchant_id for kind in catalogue.currencies.values()}
    for version in versions.values():
        issuers |= {f"{catalogue.merchants_by_id[one.grantor].code}/{one.kind}": one.grantor for one in version.rights}
    alliance = catalogue.alliance
    since, before = midnight(asked.first, alliance), midnight(asked.before, alliance)
    covered = frozenset(number for number, one in versions.items() if _covers(one, since, before, as_of))
    scope = Scope(
        agreement_id=agreement.id,
        one=agreement.merchant_a,
        other=agreement.merchant_b,
        since=since,
        before=before,
        covered=covered,
        touched=frozenset(number for number, one in versions.items() if _touches(one, since, before)) - covered,
    )
    right = None if asked.version is None else versions[asked.version]
    return scope, Terms(versions, issuers, right, asked.prices)


def _covers(version: AgreementVersion, since: datetime, before: datetime, as_of: datetime) -> bool:
    """Whether all that was granted by a version so far is of these days."""
    ends = as_of if version.valid_to is None else min(version.valid_to, as_of)
    return since <= version.valid_from and ends <= before and version.valid_from < before


def _touches(version: AgreementVersion, since: datetime, before: datetime) -> bool:
    return version.valid_from < before and (version.valid_to is None or since < version.valid_to)


async def preview(
    session: AsyncSession, runtime: Runtime, asked: Asked, as_of: datetime, most: int = MOST_LOOKED_AT
) -> Preview:
    """What a re-rating would do, of the first `most` lines or so; nothing is written. Raises NotFound, InvalidInput."""
    scope, terms = await prepare(session, runtime, asked, as_of)
    found = Preview()
    seen: set[tuple[uuid.UUID, uuid.UUID, int]] = set()
    for cycle_id, _ in await queries.cycles(session, 0):
        after = FIRST
        while operations := await queries.block(session, scope, cycle_id, after, BLOCK):
            after = operations[-1][1]
            for unit in await queries.units(session, scope, operations):
                # A return may be of points that became active by several operations.
                backs = [line for line in unit.backs if line.place not in seen]
                seen.update(line.place for line in backs)
                _tell(found, reprice(replace(unit, backs=backs), terms))
            if found.looked_at >= most:
                found.complete = False
                return found
    return found


def _tell(found: Preview, lines: Iterable[Repriced]) -> None:
    for one in lines:
        found.looked_at += 1
        if one.left is not None:
            found.left[one.left] += 1
        if one.changed:
            total = found.totals[one.line.debtor_id, one.line.creditor_id, one.line.cycle_id]
            total.lines += 1
            total.before += one.line.amount
            total.after += one.amount
            if len(found.samples) < SAMPLES:
                found.samples.append(one)


async def rerate(session: AsyncSession, runtime: Runtime, asked: Asked, about: About) -> Waiting:
    """Ask for a re-rating; it is begun once a second person approved (A11). Raises NotFound, InvalidInput,
    NothingToRerate."""
    if not await _any(session, runtime, asked, about.as_of):
        raise NothingToRerate(path=("agreement",))
    outcome = await act_or_ask(session, runtime, ACT, asked.to_json(), amount=None, about=about, always=True)
    assert isinstance(outcome, Waiting)
    return outcome


async def _any(session: AsyncSession, runtime: Runtime, asked: Asked, as_of: datetime) -> bool:
    """Whether a line is at another price; mostly the first lines say so."""
    few = await preview(session, runtime, asked, as_of, most=1)
    return bool(few.lines) or (not few.complete and bool((await preview(session, runtime, asked, as_of)).lines))


async def perform(session: AsyncSession, runtime: Runtime, args: dict[str, Any], about: About) -> dict[str, Any]:
    """Begin a re-rating: a job carries it out. Raises NotFound, InvalidInput."""
    asked = Asked.of(args)
    await prepare(session, runtime, asked, about.as_of)
    row = Rerate(
        agreement_id=asked.agreement_id,
        first_day=asked.first,
        before_day=asked.before,
        version=asked.version,
        prices=args["prices"],
        who=about.who,
        approved_by=about.approved_by,
        why=about.why,
        as_of=about.as_of,
    )
    session.add(row)
    await session.flush()
    await _begin(session, row, about.as_of)
    return {"rerate": str(row.id)}


ACTS[ACT] = perform


async def run_again(session: AsyncSession, rerate_id: uuid.UUID, as_of: datetime) -> Rerate:
    """Have a re-rating that is done go over its lines again: for what came late, and for what was reversed since.

    Nothing is put right twice. One that runs is left to it. Raises NotFound.
    """
    row = await session.get(Rerate, rerate_id, with_for_update=True)
    if row is None:
        raise NotFound(what="re-rating", path=("rerate",))
    if row.finished_at is not None:
        row.finished_at, row.cycle_number, row.after_id, row.done = None, None, None, 0
        await session.flush()
        await _begin(session, row, as_of)
    return row


async def _begin(session: AsyncSession, row: Rerate, as_of: datetime) -> None:
    args = {"rerate": str(row.id), "as_of": as_of.isoformat()}
    await add_jobs(session, [NewJob(ACTOR, args, queue="bulk")])


async def put_right(session: AsyncSession, runtime: Runtime, rerate_id: uuid.UUID, as_of: datetime) -> bool:
    """Put the next block of lines right, in the open cycle; whether it was not the last. Commit after each.

    Whoever is killed before the commit has done nothing of it, and the next goes on from there. Raises NotFound.
    """
    await session.execute(select(func.pg_advisory_xact_lock(*RERATE_LOCK)))
    row = await session.get(Rerate, rerate_id, with_for_update=True, populate_existing=True)
    if row is None:
        raise NotFound(what="re-rating", path=("rerate",))
    if row.finished_at is not None:
        return False
    scope, terms = await prepare(session, runtime, _asked(row), as_of)
    scope = replace(scope, rerate_id=row.id)
    for cycle_id, number in await queries.cycles(session, row.cycle_number or 0):
        after = row.after_id if row.after_id is not None and number == row.cycle_number else FIRST
        operations = await queries.block(session, scope, cycle_id, after, BLOCK)
        if operations:
            units = await queries.units(session, scope, operations)
            lines = [one for unit in units for one in reprice(unit, terms)]
            await _book(session, runtime, row, [one for one in lines if one.changed], as_of)
            row.done += len(lines)
            row.cycle_number, row.after_id = number, operations[-1][1]
            await session.flush()
            await moved(session, row.id)
            return True
    row.finished_at = as_of
    await session.flush()
    await _tell_merchants(session, row, scope, as_of)
    return False


def _asked(row: Rerate) -> Asked:
    days = {"from": row.first_day.isoformat(), "to": row.before_day.isoformat()}
    return Asked.of({"agreement": str(row.agreement_id), **days, "version": row.version, "prices": row.prices})


async def _book(session: AsyncSession, runtime: Runtime, row: Rerate, changed: list[Repriced], as_of: datetime) -> None:
    """A reversing line and a new one for each, none for what is nothing; and what was made of each."""
    lines: list[Line] = []
    kept: list[dict[str, Any]] = []
    for one in {one.line.place: one for one in changed}.values():
        line = one.line
        parties = (line.debtor_id, line.creditor_id)
        kept.append(
            {
                **dict(zip(("holder_id", "operation_id", "seq"), line.place, strict=True)),
                "rerate_id": row.id,
                "price_before": line.price,
                "amount_before": line.amount,
                "price_after": one.price,
                "amount_after": one.amount,
                "reversing_id": len(lines) if line.amount else None,
                "new_id": len(lines) + bool(line.amount) if one.amount else None,
            }
        )
        if line.amount:
            lines.append(Line(*parties, -line.amount, corrects=line.place, points=-line.points, price=line.price))
        if one.amount:
            lines.append(Line(*parties, one.amount, corrects=line.place, points=line.points, price=one.price))
    if not kept:
        return
    ids = await book(
        session,
        runtime.catalogue.alliance,
        lines,
        cause=Cause.RERATE,
        cause_id=row.id,
        who=row.who,
        why=row.why,
        as_of=as_of,
        approved_by=row.approved_by,
    )
    for values in kept:
        for name in ("reversing_id", "new_id"):
            values[name] = None if values[name] is None else ids[values[name]]
    await session.execute(insert(RerateLine), kept)


async def _tell_merchants(session: AsyncSession, row: Rerate, scope: Scope, as_of: datetime) -> None:
    """That it is done, with how many lines it put right in all: to both merchants."""
    found = await queries.corrected(session, [row.id], None)
    told = {
        "agreement": str(row.agreement_id),
        "merchants": [str(scope.one), str(scope.other)],
        "lines": sum(one.lines for one in found[row.id]),
        "asOf": as_of.isoformat(),
    }
    await add_event(session, row.agreement_id, EventKind.LINES_RERATED, told, scope.one, scope.other)
