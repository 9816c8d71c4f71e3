"""Agreements in reach, and their steps: proposed, accepted, rejected, withdrawn, ended."""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from alliance.agreements import commands, queries
from alliance.agreements.model import AgreementRow, AgreementStep, AgreementVersionRow
from alliance.agreements.rules import LastCycle, claim_days, last_cycle, runs_off_to
from alliance.agreements.steps import Act
from alliance.settlement.queries import open_cycle
from alliance.subsidies import queries as subsidies
from domain.errors import InvalidInput, NotAllowed, NotFound
from domain.programs.catalogue import Merchant
from resolvers import ids
from resolvers.context import Context
from resolvers.once import once
from resolvers.pages import Page, Window, page
from resolvers.reach import members_of
from resolvers.sent import Sent, key_of

AGREEMENT_SHAPE = (UUID,)
DEFAULT_REASON = "asked for by mutation"

VersionOf = tuple[AgreementRow, AgreementVersionRow]


async def by_global_id(context: Context, global_id: str) -> AgreementRow | None:
    """The agreement of a global id, or None. Raises NotFound for an id of something else."""
    return await _one(context, ids.decode_as("Agreement", global_id, 1)[0])


async def version_by_global_id(context: Context, global_id: str) -> VersionOf | None:
    """The version of a global id, or None. Raises NotFound for an id of something else."""
    agreement_id, number = _version_key(global_id)
    agreement = await _one(context, agreement_id)
    if agreement is None:
        return None
    found = next((row for row in await versions(context, agreement_id) if row.version == number), None)
    return None if found is None else (agreement, found)


async def between(context: Context, codes: list[str]) -> AgreementRow | None:
    """The agreement of two merchants, by their codes; None for others' (A14). Raises InvalidInput, NotFound."""
    one, other = _merchants(context, codes)
    if members_of(context.signed_in) not in (None, one.id, other.id):
        return None
    async with context.runtime.database.reader() as session:
        return await queries.between(session, one.id, other.id)


async def in_reach(context: Context, asked: Window) -> Page[AgreementRow]:
    """A page of the agreements that the viewer may see."""
    party = members_of(context.signed_in)
    async with context.runtime.database.reader() as session:
        found = await queries.page(
            session,
            party,
            asked.size + 1,
            after=None if asked.after is None else asked.after[0],
            before=None if asked.before is None else asked.before[0],
            backward=asked.backward,
        )

    async def total() -> int:
        async with context.runtime.database.reader() as session:
            return await queries.count(session, party)

    return page(asked, list(found), lambda row: (str(row.id),), total)


async def versions(context: Context, agreement_id: UUID) -> list[AgreementVersionRow]:
    """All versions of an agreement that is in reach, by number."""

    async def load(session: AsyncSession, keys: list[UUID]) -> list[list[AgreementVersionRow]]:
        found = await queries.versions(session, keys)
        return [found[key] for key in keys]

    return await context.loaders.one_of("agreement versions", load).load(agreement_id)


async def steps(context: Context, row: AgreementVersionRow) -> list[AgreementStep]:
    """What happened to a version, oldest first."""

    async def load(session: AsyncSession, keys: list[queries.VersionKey]) -> list[list[AgreementStep]]:
        found = await queries.steps(session, keys)
        return [found.get(key, []) for key in keys]

    return await context.loaders.one_of("agreement steps", load).load((row.agreement_id, row.version))


async def drawn(context: Context, row: AgreementVersionRow) -> dict[str, int]:
    """What is drawn on the subsidies of a version, in millionths, by currency."""

    async def load(session: AsyncSession, keys: list[queries.VersionKey]) -> list[dict[str, int]]:
        found = await subsidies.used(session, keys)
        return [found.get(key, {}) for key in keys]

    return await context.loaders.one_of("subsidies", load).load((row.agreement_id, row.version))


async def last_of(context: Context, row: AgreementVersionRow) -> LastCycle | None:
    """The cycle with which a version that ends is done, while that lies ahead; None for one without an end."""
    alliance = context.runtime.catalogue.alliance
    if row.valid_to is None:
        return None
    until = runs_off_to(row.valid_to, row.terms, alliance)
    async with context.runtime.database.reader() as session:
        cycle = await open_cycle(session)
    if cycle is not None and until <= cycle.opens_at:
        return None
    number, opened = (1, context.as_of) if cycle is None else (cycle.number, cycle.opens_at)
    return last_cycle(until, number, opened, claim_days(row.terms, alliance), alliance)


async def propose(context: Context, sent: Sent) -> dict[str, Any]:
    """Propose a version. Raises a Refusal."""
    merchants = _merchants(context, sent["merchants"])
    own = context.own_merchant_id
    if own is not None and own not in {merchant.id for merchant in merchants}:
        raise NotAllowed(reason="this client acts for another merchant", path=("merchants",))
    terms = sent["terms"]
    if not isinstance(terms, dict):
        raise InvalidInput(reason="must be an object", path=("terms",))

    async def step(session: AsyncSession, act: Act) -> dict[str, Any]:
        made = await commands.propose(
            session,
            context.runtime.catalogue,
            merchants,
            starts=sent["from"],
            ends=sent.get("to"),
            terms=terms,
            act=act,
        )
        return _stepped(context, made)

    return await _take(context, "proposeAgreement", sent, step)


async def accept(context: Context, sent: Sent) -> dict[str, Any]:
    """Accept a version. Raises a Refusal."""
    key = _version_of(sent)

    async def step(session: AsyncSession, act: Act) -> dict[str, Any]:
        return _stepped(context, await commands.accept(session, context.runtime.catalogue, key, act))

    return await _take(context, "acceptAgreement", sent, step)


async def reject(context: Context, sent: Sent) -> dict[str, Any]:
    """Say no to a version. Raises a Refusal."""
    return await _give_up(context, "rejectAgreement", sent, commands.reject)


async def withdraw(context: Context, sent: Sent) -> dict[str, Any]:
    """Take a version back. Raises a Refusal."""
    return await _give_up(context, "withdrawAgreement", sent, commands.withdraw)


async def end(context: Context, sent: Sent) -> dict[str, Any]:
    """End what is in force between two merchants. Raises a Refusal."""
    try:
        agreement_id = ids.decode_as("Agreement", sent["agreement"], 1)[0]
    except NotFound:
        raise NotFound(what="agreement", path=("agreement",)) from None

    async def step(session: AsyncSession, act: Act) -> dict[str, Any]:
        made = await commands.end(session, context.runtime.catalogue, agreement_id, on=sent.get("on"), act=act)
        return _key(made.key) | {"endsAt": made.ends_at.isoformat(), "runsOffTo": made.runs_off_to.isoformat()}

    return await _take(context, "endAgreement", sent, step)


async def version_now(context: Context, outcome: dict[str, Any]) -> VersionOf | None:
    """The version that a step was about, as it is now; None for a dry run."""
    if outcome.get("dryRun"):
        return None
    agreement_id, number = UUID(outcome["agreement"]), outcome["version"]
    agreement = await _one(context, agreement_id)
    rows = await versions(context, agreement_id)
    if agreement is None:
        raise LookupError("an agreement that was just written is not there")
    return agreement, next(row for row in rows if row.version == number)


async def _one(context: Context, agreement_id: UUID) -> AgreementRow | None:
    async with context.runtime.database.reader() as session:
        return (await queries.by_ids(session, [agreement_id], members_of(context.signed_in))).get(agreement_id)


def _merchants(context: Context, codes: list[str]) -> tuple[Merchant, Merchant]:
    known = context.runtime.catalogue.merchants
    if len(codes) != 2 or codes[0] == codes[1]:
        raise InvalidInput(reason="an agreement is between two merchants", path=("merchants",))
    for place, code in enumerate(codes):
        if code not in known:
            raise NotFound(what=f"merchant {code[:40]!r}", path=("merchants", str(place)))
    return known[codes[0]], known[codes[1]]


def _version_key(global_id: str) -> queries.VersionKey:
    kind, rest = ids.decode(global_id)
    number = rest[16:].decode(errors="replace")
    if kind != "AgreementVersion" or not number.isascii() or not number.isdigit() or len(number) > 7:
        raise NotFound(what="version")
    return UUID(bytes=rest[:16]), int(number)


def _version_of(sent: Sent) -> queries.VersionKey:
    try:
        return _version_key(sent["version"])
    except NotFound:
        raise NotFound(what="version", path=("version",)) from None


def _key(key: queries.VersionKey) -> dict[str, Any]:
    return {"agreement": str(key[0]), "version": key[1]}


def _stepped(context: Context, made: commands.Stepped) -> dict[str, Any]:
    """What a step answers, as JSON."""
    names = context.runtime.catalogue.merchants_by_id
    starts, ends = made.proposal.entry.instants()
    return _key(made.key) | {
        "startsAt": None if starts is None else starts.isoformat(),
        "endsAt": None if ends is None else ends.isoformat(),
        "supersedes": made.proposal.supersedes,
        "roundTrips": list(made.proposal.round_trips),
        "waitsFor": [names[party].code for party in made.waits_for],
    }


async def _give_up(context: Context, name: str, sent: Sent, command: Callable[..., Awaitable[None]]) -> dict[str, Any]:
    key = _version_of(sent)

    async def step(session: AsyncSession, act: Act) -> dict[str, Any]:
        await command(session, context.runtime.catalogue, key, act)
        return _key(key)

    return await _take(context, name, sent, step)


async def _take(
    context: Context, name: str, sent: Sent, step: Callable[[AsyncSession, Act], Awaitable[dict[str, Any]]]
) -> dict[str, Any]:
    """Take a step once, recorded with party and reason. A dry run is the same step, undone, and spends no key."""
    key = key_of(context, name, sent)
    party = context.own_merchant_id or context.runtime.catalogue.alliance.id
    act = Act(party, context.signed_in.subject, sent.get("reason") or DEFAULT_REASON, context.as_of)
    if sent.get("dryRun"):
        async with context.runtime.database.session() as session:
            outcome = await step(session, act)
            await session.rollback()
        return outcome | {"dryRun": True}
    return await once(context, key, lambda session: step(session, act))
