"""Disputes between merchants: objections and claims in reach, raised, answered, decided (A10, A14)."""

from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from alliance.clearing.model import Obligation
from alliance.disputes import queries
from alliance.disputes.claims import ClaimAsked, raise_claims
from alliance.disputes.deciding import take_step
from alliance.disputes.life import DisputeStatus, Move
from alliance.disputes.model import Attachment, ClaimCode, Dispute, DisputeStep, Door
from alliance.disputes.queries import Wanted
from domain.errors import InvalidInput, NotFound, Refusal
from domain.money import MICRO, scaled
from resolvers import ids, obligations
from resolvers.context import Context
from resolvers.lines import place_of
from resolvers.obligations import SeenLine
from resolvers.once import once
from resolvers.pages import Page, Shape, Window, page
from resolvers.reach import members_of
from resolvers.sent import Sent, key_of, plain

SHAPE: Shape = (UUID,)
DEADLINE_SHAPE: Shape = (datetime.fromisoformat, UUID)
_PLACES = len(str(MICRO)) - 1

ANSWERS = (Move.ACCEPT, Move.ACCEPT_PARTLY, Move.REJECT, Move.INSIST, Move.ESCALATE, Move.WITHDRAW, Move.NOTE)
"""What the parties do; a decision is the operator's alone."""


def party_of(context: Context) -> UUID:
    """As which party the caller acts: its merchant, or the alliance, which is the operator."""
    return context.own_merchant_id or context.runtime.catalogue.alliance.id


async def by_global_id(context: Context, global_id: str) -> Dispute | None:
    """The dispute of a global id; None for others' (A14). Raises NotFound for an id of something else."""
    return await load(context, ids.decode_as("Claim", global_id, 1)[0])


async def load(context: Context, id_: UUID) -> Dispute | None:
    """As it stands now, if it is in reach."""
    async with context.runtime.database.reader() as session:
        return (await queries.by_ids(session, [id_], members_of(context.signed_in))).get(id_)


async def listed(context: Context, sent: Sent, by_deadline: bool, asked: Window) -> Page[Dispute]:
    """Disputes in reach, newest first, or the undecided by their deadlines. Raises InvalidInput, NotFound."""
    if asked.backward or asked.before is not None:
        raise InvalidInput(reason="claims are listed forwards: give first and after", path=("last",))
    wanted = _wanted(context, plain(sent, ("filter",)))
    if by_deadline:
        wanted = replace(wanted, is_open=True)
    async with context.runtime.database.reader() as session:
        if by_deadline:
            after = None if asked.after is None else (asked.after[0], asked.after[1])
            found = await queries.by_deadline(session, wanted, after=after, first=asked.size + 1)
        else:
            before = None if asked.after is None else asked.after[0]
            found = await queries.newest(session, wanted, before=before, first=asked.size + 1)

    async def total() -> int:
        async with context.runtime.database.reader() as session:
            return await queries.count(session, wanted)

    def cursor(row: Dispute) -> tuple[str, ...]:
        return (row.due_at.isoformat(), str(row.id)) if by_deadline else (str(row.id),)

    return page(asked, list(found), cursor, total)


def _wanted(context: Context, sent: Sent) -> Wanted:
    door, status, merchant = sent.get("door"), sent.get("status"), sent.get("merchant")
    return Wanted(
        party=members_of(context.signed_in),
        door=None if door is None else Door(door),
        status=None if status is None else DisputeStatus(status),
        is_open=sent.get("open"),
        other=None if merchant is None else party_id(context, merchant, ("filter", "merchant")),
        waits_for=party_of(context) if sent.get("waitsForMe") else None,
        operator_id=context.runtime.catalogue.alliance.id,
    )


def party_id(context: Context, code: str, path: tuple[str, ...]) -> UUID:
    """A merchant's id; under the alliance's code, the operator's. Raises NotFound."""
    catalogue = context.runtime.catalogue
    merchant = catalogue.merchants.get(code)
    if merchant is not None:
        return merchant.id
    if code == catalogue.alliance.code:
        return catalogue.alliance.id
    raise NotFound(what="merchant", path=path)


async def line(context: Context, row: Dispute) -> SeenLine | None:
    """The line that a dispute is about."""

    async def read(session: AsyncSession, keys: list[Dispute]) -> list[Obligation | None]:
        found = await queries.lines_of(session, keys)
        return [found.get(key.id) for key in keys]

    if row.operation_id is None:
        return None
    found = await context.loaders.one_of("lines of claims", read).load(row)
    return None if found is None else (await obligations.seen(context, [found]))[0]


async def steps(context: Context, id_: UUID) -> list[DisputeStep]:
    """What was said and done about a dispute that is in reach, oldest first."""

    async def read(session: AsyncSession, keys: list[UUID]) -> list[list[DisputeStep]]:
        found = await queries.steps(session, keys)
        return [found[key] for key in keys]

    return await context.loaders.one_of("steps of claims", read).load(id_)


async def files(context: Context, row: DisputeStep) -> list[Attachment]:
    """The files of a step."""

    async def read(session: AsyncSession, keys: list[queries.StepKey]) -> list[list[Attachment]]:
        found = await queries.files(session, keys)
        return [found.get(key, []) for key in keys]

    return await context.loaders.one_of("files of claims", read).load((row.dispute_id, row.seq))


async def raise_(context: Context, sent: Sent) -> Dispute:
    """Claim. Raises a Refusal."""
    against, named = sent.get("against"), sent.get("line")
    asked = ClaimAsked(
        place=None if named is None else place_of(context, named, ("line",)),
        against_id=None if against is None else party_id(context, against, ("against",)),
        amount=_amount(context, sent),
        code=ClaimCode(sent["claimCode"]),
        text=sent["text"],
        quantity=sent.get("quantity"),
        attachments=_attachments(sent),
    )

    async def act(session: AsyncSession) -> dict[str, Any]:
        alliance = context.runtime.catalogue.alliance
        about = {"merchant_id": party_of(context), "who": context.signed_in.subject}
        (found,) = await raise_claims(session, alliance, [asked], **about, as_of=context.as_of)
        if isinstance(found, Refusal):
            raise found
        return {"claim": str(found.id)}

    return await _found(context, await once(context, key_of(context, "raiseClaim", sent), act))


async def answer(context: Context, sent: Sent) -> Dispute:
    """Take a party's step. Raises a Refusal."""
    move = Move(sent["move"])
    if move not in ANSWERS:
        raise InvalidInput(reason=f"{move.value} is no answer", path=("move",))
    return await _step(context, "answerClaim", sent, move)


async def decide(context: Context, sent: Sent) -> Dispute:
    """Decide between two parties. Raises a Refusal."""
    return await _step(context, "decideClaim", sent, Move.DECIDE)


async def _step(context: Context, name: str, sent: Sent, move: Move) -> Dispute:
    try:
        id_ = ids.decode_as("Claim", sent["claim"], 1)[0]
    except NotFound:
        raise NotFound(what="claim", path=("claim",)) from None
    amount, attachments = _amount(context, sent), _attachments(sent)

    async def act(session: AsyncSession) -> dict[str, Any]:
        found = await take_step(
            session,
            context.runtime.catalogue.alliance,
            id_,
            move,
            party_id=party_of(context),
            who=context.signed_in.subject,
            as_of=context.as_of,
            text=sent.get("text") or "",
            amount=amount,
            attachments=attachments,
        )
        return {"claim": str(found.id)}

    return await _found(context, await once(context, key_of(context, name, sent), act))


async def _found(context: Context, outcome: dict[str, Any]) -> Dispute:
    found = await load(context, UUID(outcome["claim"]))
    if found is None:
        raise NotFound(what="claim", path=("claim",))
    return found


def _amount(context: Context, sent: Sent) -> int | None:
    """In millionths. Raises InvalidInput."""
    said = sent.get("amount")
    if said is None:
        return None
    currency = context.runtime.catalogue.alliance.settlement_currency
    if said["currency"] != currency:
        raise InvalidInput(reason=f"cycles are settled in {currency}", path=("amount", "currency"))
    try:
        return scaled(said["amount"], _PLACES)
    except InvalidInput as refusal:
        raise refusal.at("amount", "amount") from None


def _attachments(sent: Sent) -> list[UUID]:
    try:
        return [ids.decode_as("Attachment", one, 1)[0] for one in sent.get("attachments") or ()]
    except NotFound:
        raise NotFound(what="attachment", path=("attachments",)) from None
