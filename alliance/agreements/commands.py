"""Agreements as they come about and end: proposed by one merchant, accepted by the other, ended with notice (A2, A12).

Each step is one transaction of the caller's, under the lock of the alliance file, and recorded.
"""

import uuid
from asyncio import to_thread
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.agreements.errors import NoticeTooShort, WrongAgreementStatus
from alliance.agreements.model import AgreementRow, AgreementStatus, AgreementStep, AgreementVersionRow, StepKind
from alliance.agreements.proposals import Pair, Proposal, candidate, judge
from alliance.agreements.rules import earliest, midnight, notice_of, runs_off_to
from alliance.agreements.steps import Act, record
from alliance.file.changes import Entry, Stored, published
from alliance.file.commands import lock, publish
from alliance.file.queries import read
from domain.base import new_id
from domain.errors import InvalidInput, NotAllowed, NotFound
from domain.programs.catalogue import Catalogue, Merchant

VersionKey = tuple[uuid.UUID, int]
"""An agreement's id and the number of a version."""


@dataclass(frozen=True, slots=True)
class Stepped:
    """A version after a step; `waits_for` are the merchants that still have to accept it."""

    key: VersionKey
    proposal: Proposal
    waits_for: tuple[uuid.UUID, ...]


@dataclass(frozen=True, slots=True)
class Ended:
    """The version that an agreement ends with, its end, and until when points run off."""

    key: VersionKey
    ends_at: datetime
    runs_off_to: datetime


async def propose(
    session: AsyncSession,
    catalogue: Catalogue,
    merchants: tuple[Merchant, Merchant],
    *,
    starts: date,
    ends: date | None,
    terms: Mapping[str, Any],
    act: Act,
) -> Stepped:
    """Propose the next version between two merchants, its terms in the shape of the alliance file.

    What the operator proposes is in force at once where the alliance says so. Raises InvalidInput, NoticeTooShort,
    UnsoundAgreement.
    """
    stored = await _stored(session)
    pair = _pair(merchants)
    entry = await to_thread(candidate, stored, pair, starts, ends, terms)
    proposal = await _judged(stored, entry, catalogue, act)
    a, b = sorted(merchant.id for merchant in merchants)
    made = insert(AgreementRow).values(id=new_id(), merchant_a=a, merchant_b=b)
    await session.execute(made.on_conflict_do_nothing())
    between = select(AgreementRow.id).where(AgreementRow.merchant_a == a, AgreementRow.merchant_b == b)
    key = ((await session.scalars(between)).one(), entry.version or 0)
    valid_from, valid_to = entry.instants()
    row = {"agreement_id": key[0], "version": key[1], "valid_from": valid_from, "valid_to": valid_to}
    row |= {"status": AgreementStatus.PROPOSED, "terms": entry.body}
    await session.execute(insert(AgreementVersionRow).values(row))
    if act.party == catalogue.alliance.id and catalogue.alliance.consent == "operator":
        return await _put_in_force(session, key, proposal, act)
    await record(session, [(*key, StepKind.PROPOSED)], act)
    return Stepped(key, proposal, tuple(id_ for id_ in (a, b) if id_ != act.party))


async def accept(session: AsyncSession, catalogue: Catalogue, key: VersionKey, act: Act) -> Stepped:
    """Accept a proposed version; when both merchants have, it is in force from its day on.

    It is judged anew: what is in force may have changed. The operator may accept it for both where the alliance says
    so. Raises NotFound, NotAllowed, WrongAgreementStatus, InvalidInput, NoticeTooShort, UnsoundAgreement.
    """
    stored = await _stored(session)
    row, merchants = await _version(session, key, act, catalogue)
    _require(row, AgreementStatus.PROPOSED)
    pair = _pair(merchants)
    entry = published(stored)["agreement", pair, key[1]]
    accepted = await _parties(session, key, StepKind.PROPOSED, StepKind.ACCEPTED)
    if act.party == catalogue.alliance.id:
        if catalogue.alliance.consent != "operator":
            raise NotAllowed(reason="its merchants accept it, not the operator", path=("version",))
        accepted |= {merchant.id for merchant in merchants}
    elif act.party in accepted:
        raise NotAllowed(reason="the other merchant accepts it", path=("version",))
    proposal = await _judged(stored, entry, catalogue, act)
    missing = tuple(merchant.id for merchant in merchants if merchant.id not in accepted | {act.party})
    if not missing:
        return await _put_in_force(session, key, proposal, act)
    await record(session, [(*key, StepKind.ACCEPTED)], act)
    return Stepped(key, proposal, missing)


async def reject(session: AsyncSession, catalogue: Catalogue, key: VersionKey, act: Act) -> None:
    """Say no to a version that another proposed. Raises NotFound, NotAllowed, WrongAgreementStatus."""
    await _give_up(session, catalogue, key, act, StepKind.REJECTED, AgreementStatus.REJECTED)


async def withdraw(session: AsyncSession, catalogue: Catalogue, key: VersionKey, act: Act) -> None:
    """Take back a version that one has proposed. Raises NotFound, NotAllowed, WrongAgreementStatus."""
    await _give_up(session, catalogue, key, act, StepKind.WITHDRAWN, AgreementStatus.WITHDRAWN)


async def end(
    session: AsyncSession, catalogue: Catalogue, agreement_id: uuid.UUID, *, on: date | None, act: Act
) -> Ended:
    """End what is in force between two merchants, with the notice of the version that is in force now.

    `on` is the first day without it, by default the earliest. Either merchant may; the operator where the alliance
    says so. Raises NotFound, NotAllowed, WrongAgreementStatus, NoticeTooShort, InvalidInput.
    """
    alliance = catalogue.alliance
    await lock(session)
    await _agreement(session, agreement_id, act, catalogue)
    if act.party == alliance.id and alliance.consent != "operator":
        raise NotAllowed(reason="its merchants end it, not the operator", path=("agreement",))
    of = AgreementVersionRow.agreement_id == agreement_id
    rows = (await session.scalars(select(AgreementVersionRow).where(of).order_by(AgreementVersionRow.valid_from))).all()
    ended = [row for row in rows if row.status == AgreementStatus.ENDED and (row.valid_to or act.as_of) > act.as_of]
    live = [row for row in rows if row.status == AgreementStatus.IN_FORCE and not _over(row, act.as_of)]
    if ended or not live:
        last = (ended or rows)[-1] if rows else None
        status = last.status if last is not None else AgreementStatus.PROPOSED
        number = last.version if last is not None else 0
        raise WrongAgreementStatus(number=number, status=status, needed=AgreementStatus.IN_FORCE, path=("agreement",))
    first = earliest(act.as_of, notice_of(live[0].terms, alliance).end, alliance)
    day = first if on is None else on
    if day < first:
        raise NoticeTooShort(earliest=first.isoformat(), path=("on",))
    ends_at = midnight(day, alliance)
    if live[-1].valid_to is not None and live[-1].valid_to <= ends_at:
        raise InvalidInput(reason=f"it ends at {live[-1].valid_to.isoformat()} by itself", path=("on",))
    touched = [row for row in live if row.valid_to is None or row.valid_to > ends_at]
    for row in touched:
        at = max(ends_at, row.valid_from)
        one = of & (AgreementVersionRow.version == row.version)
        await session.execute(
            update(AgreementVersionRow).where(one).values(status=AgreementStatus.ENDED, valid_to=at),
            execution_options={"synchronize_session": False},
        )
    await record(session, [(agreement_id, row.version, StepKind.ENDED) for row in touched], act)
    await publish(session)
    return Ended((agreement_id, touched[0].version), ends_at, runs_off_to(ends_at, touched[0].terms, alliance))


def _over(row: AgreementVersionRow, as_of: datetime) -> bool:
    return row.valid_to is not None and row.valid_to <= as_of


async def _put_in_force(session: AsyncSession, key: VersionKey, proposal: Proposal, act: Act) -> Stepped:
    """From its day on: what is in force then ends when it begins."""
    version, of = AgreementVersionRow, AgreementVersionRow.agreement_id == key[0]
    open_end = version.valid_to.is_(None) | (version.valid_to > proposal.starts)
    earlier = of & (version.status == AgreementStatus.IN_FORCE) & open_end
    quiet = {"synchronize_session": False}
    await session.execute(update(version).where(earlier).values(valid_to=proposal.starts), execution_options=quiet)
    this = of & (version.version == key[1])
    await session.execute(update(version).where(this).values(status=AgreementStatus.IN_FORCE), execution_options=quiet)
    await record(session, [(*key, StepKind.ACCEPTED)], act)
    await publish(session)
    return Stepped(key, proposal, ())


async def _give_up(
    session: AsyncSession,
    catalogue: Catalogue,
    key: VersionKey,
    act: Act,
    kind: StepKind,
    status: AgreementStatus,
) -> None:
    await lock(session)
    row, _ = await _version(session, key, act, catalogue)
    _require(row, AgreementStatus.PROPOSED)
    proposer = await _parties(session, key, StepKind.PROPOSED)
    if (act.party in proposer) != (kind is StepKind.WITHDRAWN):
        reason = "who proposed it withdraws it" if act.party in proposer else "only who proposed it withdraws it"
        raise NotAllowed(reason=reason, path=("version",))
    this = (AgreementVersionRow.agreement_id == key[0]) & (AgreementVersionRow.version == key[1])
    await session.execute(
        update(AgreementVersionRow).where(this).values(status=status),
        execution_options={"synchronize_session": False},
    )
    await record(session, [(*key, kind)], act)


async def _judged(stored: Stored, entry: Entry, catalogue: Catalogue, act: Act) -> Proposal:
    """As `judge`, in a thread: among thousands of agreements it takes seconds, in which calls go on being answered."""
    return await to_thread(judge, stored, entry, _name(catalogue, act.party), act.as_of, catalogue.alliance)


async def _stored(session: AsyncSession) -> Stored:
    """What was applied, which nobody else changes until the transaction ends. Raises NotFound."""
    await lock(session)
    stored = await read(session)
    if stored is None:
        raise NotFound(what="alliance")
    return stored


async def _agreement(
    session: AsyncSession, agreement_id: uuid.UUID, act: Act, catalogue: Catalogue
) -> tuple[Merchant, Merchant]:
    """The parties of an agreement. Raises NotFound; also for who is neither a party nor the operator (A14)."""
    row = await session.get(AgreementRow, agreement_id)
    if row is None or act.party not in (row.merchant_a, row.merchant_b, catalogue.alliance.id):
        raise NotFound(what="agreement", path=("agreement",))
    return catalogue.merchants_by_id[row.merchant_a], catalogue.merchants_by_id[row.merchant_b]


async def _version(
    session: AsyncSession, key: VersionKey, act: Act, catalogue: Catalogue
) -> tuple[AgreementVersionRow, tuple[Merchant, Merchant]]:
    try:
        merchants = await _agreement(session, key[0], act, catalogue)
    except NotFound:
        raise NotFound(what="version", path=("version",)) from None
    row = await session.get(AgreementVersionRow, key)
    if row is None:
        raise NotFound(what="version", path=("version",))
    return row, merchants


def _require(row: AgreementVersionRow, needed: AgreementStatus) -> None:
    if row.status != needed:
        raise WrongAgreementStatus(number=row.version, status=row.status, needed=needed, path=("version",))


async def _parties(session: AsyncSession, key: VersionKey, *kinds: StepKind) -> set[uuid.UUID]:
    """Who took any of these steps."""
    of = (AgreementStep.agreement_id == key[0]) & (AgreementStep.version == key[1])
    found = await session.scalars(select(AgreementStep.party).where(of, AgreementStep.kind.in_(kinds)))
    return set(found)


def _pair(merchants: tuple[Merchant, Merchant]) -> Pair:
    one, other = sorted(merchant.code for merchant in merchants)
    return one, other


def _name(catalogue: Catalogue, party: uuid.UUID) -> str | None:
    """The code of the merchant that acts; None for the operator."""
    merchant = catalogue.merchants_by_id.get(party)
    return None if merchant is None else merchant.code
