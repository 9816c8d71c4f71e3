"""Enrolments of a feed: lines in, answers out, a chunk at a time: parsed, authorised, enrolled, remembered.

`prepare` needs no database and may run while the chunk before is being enrolled; `enrol` is one transaction. One bad
line refuses itself alone (I1); a key that comes again gets its answer again (R27).
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.clearing.rules import require_not_ahead
from alliance.intake import rules
from alliance.intake.commands import SLICE, Sender, Sent
from alliance.intake.model import MemberLine
from alliance.runtime import Runtime
from domain.contacts.commands import check_preference, record, set_preferences
from domain.contacts.model import ContactChannel, NewConsent, Purpose
from domain.errors import IdempotencyConflict, InvalidInput, NotAllowed, NotFound, Refusal
from domain.ledger.keys import remember_many, remembered_many
from domain.ledger.request import Key, fingerprint_of
from domain.members.commands import enrol_many
from domain.members.model import EnrolAsk, Enrolled, IdentifierRef
from domain.profiles.commands import tell
from domain.profiles.model import Told
from domain.profiles.rules import Reader, checked
from domain.programs.catalogue import Merchant

TRIES = 3


class Answer(NamedTuple):
    """What became of a line; `duplicate` if it did before."""

    key: str | None
    outcome: Enrolled | Refusal
    duplicate: bool = False


@dataclass(frozen=True, slots=True)
class Enrolling:
    """A line that is ready to be enrolled."""

    key: Key
    line: MemberLine
    ask: EnrolAsk
    merchant_id: UUID
    profile: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Chunk:
    """Lines that are ready to be enrolled, and the answers to those that never will be."""

    items: list[Enrolling | Answer]


async def prepare(runtime: Runtime, sender: Sender, lines: Sequence[Sent], as_of: datetime | None) -> Chunk:
    """All that comes before the database. `as_of` None: the time that each line names."""
    items: list[Enrolling | Answer] = []
    for start in range(0, len(lines), SLICE):
        items += [_heard(runtime, sender, line, as_of) for line in lines[start : start + SLICE]]
        await asyncio.sleep(0)
    return Chunk(items)


async def enrol(runtime: Runtime, sender: Sender, chunk: Chunk) -> list[Answer]:
    """Enrol a prepared chunk, in its order. Raises only faults.

    Of two feeds with one key at a time, the later fails on the key's row, is run again, and finds the answer.
    """
    items = [item for item in chunk.items if isinstance(item, Enrolling)]
    answers = iter(await _enrolled(runtime, sender, items) if items else [])
    return [item if isinstance(item, Answer) else next(answers) for item in chunk.items]


async def _enrolled(runtime: Runtime, sender: Sender, items: Sequence[Enrolling]) -> list[Answer]:
    for left in reversed(range(TRIES)):
        try:
            async with runtime.database.transaction() as session:
                return await _in_transaction(session, runtime, sender, items)
        except IntegrityError:
            if not left:
                raise
    raise AssertionError("unreachable")


async def _in_transaction(
    session: AsyncSession, runtime: Runtime, sender: Sender, items: Sequence[Enrolling]
) -> list[Answer]:
    """Answer what was answered before, enrol the rest, and remember what became of it."""
    known = await remembered_many(session, [item.key for item in items])
    first: dict[str, Enrolling] = {}
    for item in items:
        if item.key.value not in known:
            first.setdefault(item.key.value, item)
    fresh = list(first.values())
    outcomes = await enrol_many(session, runtime.catalogue, [item.ask for item in fresh])
    await _also(session, runtime, sender, fresh, outcomes)
    told = dict(zip(first, outcomes, strict=True))
    kept = [(item.key, _kept(told[item.key.value])) for item in fresh if _is_kept(told[item.key.value])]
    await remember_many(session, kept)
    answers = []
    for item in items:
        value = item.key.value
        if value in known:
            fingerprint, outcome = known[value]
            answers.append(Answer(value, _again(item.key, fingerprint, _told(outcome)), duplicate=True))
        elif first[value] is item:
            answers.append(Answer(value, told[value]))
        else:
            again = _again(item.key, first[value].key.fingerprint, told[value])
            answers.append(Answer(value, again, duplicate=True))
    return answers


async def _also(
    session: AsyncSession,
    runtime: Runtime,
    sender: Sender,
    items: Sequence[Enrolling],
    outcomes: Sequence[Enrolled | Refusal],
) -> None:
    """Keep what was said with the enrolments: how members are written to, what they consent to, and what is known."""
    preferences: dict[UUID, tuple[str | None, str | None]] = {}
    consents, known = [], []
    for item, outcome in zip(items, outcomes, strict=True):
        if isinstance(outcome, Refusal):
            continue
        line = item.line
        if line.language is not None or line.timezone is not None:
            before = preferences.get(outcome.member_id, (None, None))
            preferences[outcome.member_id] = line.language or before[0], line.timezone or before[1]
        if item.profile:
            known.append(Told(outcome.member_id, item.profile, item.ask.as_of, item.merchant_id))
        consents += [
            NewConsent(
                outcome.member_id,
                item.merchant_id,
                Purpose(said.purpose),
                ContactChannel(said.channel),
                True,
                item.ask.as_of,
                said.textVersion,
                sender.client_id,
            )
            for said in line.consents or ()
        ]
    await set_preferences(session, preferences)
    await record(session, consents)
    if known:
        merchants = {one.code: one.id for one in runtime.catalogue.merchants.values()}
        await tell(session, runtime.catalogue.members, merchants, known)


def _heard(runtime: Runtime, sender: Sender, raw: Sent, as_of: datetime | None) -> Enrolling | Answer:
    """A line: checked and authorised."""
    if isinstance(raw, Refusal):
        return Answer(None, raw)
    assert isinstance(raw, bytes)
    try:
        line = rules.parse_member(raw)
    except Refusal as refusal:
        return Answer(rules.key_of(raw), refusal)
    try:
        merchant = runtime.catalogue.merchants.get(line.merchant)
        if merchant is None:
            raise NotFound(what=f"merchant {line.merchant!r}", path=("merchant",))
        if sender.merchant_id is not None and sender.merchant_id != merchant.id:
            raise NotAllowed(reason="the sender acts for another merchant", path=("merchant",))
        if line.verified and not sender.may_verify:
            raise NotAllowed(reason="the sender may not vouch for identifiers", path=("verified",))
        moment = as_of or line.occurredAt
        if moment is None:
            raise InvalidInput(reason="a feed on event time needs occurredAt", path=("occurredAt",))
        require_not_ahead(line.occurredAt or moment, moment)
        check_preference(line.language, line.timezone)
        named = tuple(IdentifierRef(one.type, one.issuer, one.value) for one in line.identifiers)
        verified = sender.may_verify if line.verified is None else line.verified
        ask = EnrolAsk(line.merchant, line.channel, line.store, named, moment, line.jurisdiction, verified)
        fingerprint = fingerprint_of(sender.secret, b"member\0" + rules.sent(line))
        profile = _profile(runtime, sender, merchant, line)
        return Enrolling(Key(sender.client_id, sender.subject, line.key, fingerprint), line, ask, merchant.id, profile)
    except Refusal as refusal:
        return Answer(line.key, refusal)


def _profile(runtime: Runtime, sender: Sender, merchant: Merchant, line: MemberLine) -> dict[str, Any]:
    """What a line says of attributes, checked as the sender may set them. Raises a Refusal."""
    if not line.profile:
        return {}
    reader = Reader("operator") if sender.merchant_id is None else Reader("merchant", merchant.code)
    try:
        return checked(runtime.catalogue.members.attributes, reader, line.profile)
    except Refusal as refusal:
        raise refusal.at("profile") from None


def _again(key: Key, fingerprint: bytes, outcome: Enrolled | Refusal) -> Enrolled | Refusal:
    """The answer to a key that came before."""
    return outcome if key.asks_as(fingerprint) else IdempotencyConflict(path=("key",))


def _is_kept(outcome: Enrolled | Refusal) -> bool:
    return isinstance(outcome, Enrolled) or outcome.remembered


def _kept(outcome: Enrolled | Refusal) -> dict[str, Any]:
    """An answer, as it is remembered: nothing personal."""
    if isinstance(outcome, Refusal):
        return {"refusal": outcome.to_json()}
    flags = {"created": outcome.created, "joined": outcome.joined}
    return {"member": str(outcome.member_id), "number": outcome.number} | flags


def _told(kept: dict[str, Any]) -> Enrolled | Refusal:
    if "refusal" in kept:
        return Refusal.from_json(kept["refusal"])
    if "member" not in kept or "number" not in kept:
        return IdempotencyConflict(path=("key",))
    return Enrolled(UUID(kept["member"]), kept["number"], kept["created"], kept["joined"])
