"""Working breaks, up to 500 at once, in the caller's transaction: one that is refused keeps no other from it (I1).

A merchant works those of its own files, the operator all. What changes books or gives up a claim is an act by hand: up
to a limit, of all the breaks that one call names together, one person does it; above, a second one approves (A16).
"""

import uuid
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.approvals.commands import ACTS, About, Done, Waiting, act_or_ask
from alliance.breaks import queries
from alliance.breaks.errors import BreakClosed, BreakMoved, BreakWaits, NothingToClaim
from alliance.breaks.model import BreakNote
from alliance.breaks.rules import difference
from alliance.clearing.model import Obligation
from alliance.corrections.commands import Line, book
from alliance.corrections.model import Cause
from alliance.disputes.claims import ClaimAsked, raise_claims
from alliance.disputes.model import ClaimCode
from alliance.disputes.rules import Place
from alliance.partnerfiles.model import BreakStatus, Outcome, ReconBreak
from alliance.runtime import Runtime
from alliance.settlement.model import COMMAND_LINE
from alliance.settlement.steps import require_short
from domain.errors import InvalidInput, NotAllowed, NotFound, Refusal
from domain.events.commands import add_events
from domain.events.kinds import EventKind
from domain.events.model import NewEvent
from domain.programs.catalogue import Alliance

ADJUST, WRITE_OFF = "ADJUST_BREAKS", "WRITE_OFF_BREAKS"

MOST = 500
"""Breaks at once."""


@dataclass(frozen=True, slots=True)
class Worked:
    """What became of one break: nothing, if it was refused; or it waits for a second person."""

    id: uuid.UUID
    refusal: Refusal | None = None
    waits: bool = False


@dataclass(frozen=True, slots=True)
class Outcomes:
    """What became of each break, in order; and the approval that those which wait wait for."""

    items: list[Worked]
    approval_id: uuid.UUID | None = None


async def assign(
    session: AsyncSession, ids: Sequence[uuid.UUID], owner_id: uuid.UUID | None, about: About
) -> list[Worked]:
    """Make somebody, or nobody, the owner of breaks that are open. Refused: NotFound, BreakClosed."""
    rows, items = await _open(session, ids, about)
    for row in rows:
        row.owner_id = owner_id
    await session.flush()
    told = {"owner": None if owner_id is None else str(owner_id)}
    await _tell(session, EventKind.BREAK_ASSIGNED, rows, about, lambda row: told)
    return items


async def note(session: AsyncSession, ids: Sequence[uuid.UUID], text: str, about: About) -> list[Worked]:
    """Note something about breaks, also of closed ones. Refused: NotFound. Raises InvalidInput."""
    _require_text(text)
    rows, items = await _open(session, ids, about, closed_too=True)
    values = [{"break_id": row.id, "who": about.who, "text": text, "as_of": about.as_of} for row in rows]
    if values:
        await session.execute(insert(BreakNote), values)
    return items


async def write_off(session: AsyncSession, runtime: Runtime, ids: Sequence[uuid.UUID], about: About) -> Outcomes:
    """Leave our books as they are, for a reason. Refused: NotFound, BreakClosed. Raises InvalidInput."""
    rows, items = await _open(session, ids, about)
    return await _act(session, runtime, WRITE_OFF, rows, items, about)


async def adjust(session: AsyncSession, runtime: Runtime, ids: Sequence[uuid.UUID], about: About) -> Outcomes:
    """Book the difference between the two in the open cycle: our books then say what the file said.

    The operator may, and the merchant in whose disfavour it is. Refused: NotFound, BreakClosed, BreakWaits,
    BreakMoved, NotAllowed, InvalidInput. Raises InvalidInput.
    """
    rows, items = await _open(session, ids, about)
    rows, items = await _adjustable(session, rows, items, about)
    return await _act(session, runtime, ADJUST, rows, items, about)


async def claim(
    session: AsyncSession, alliance: Alliance, ids: Sequence[uuid.UUID], code: ClaimCode | None, about: About
) -> list[Worked]:
    """Raise a claim of the merchant of the file for each, by default with the code that its outcome suggests (A10).

    Refused: NotFound, BreakClosed, BreakWaits, NothingToClaim, and as claims are. Raises InvalidInput.
    """
    _require_text(about.why)
    rows, items = await _open(session, ids, about)
    refused: dict[uuid.UUID, Refusal] = {}
    asked: dict[uuid.UUID, list[ReconBreak]] = defaultdict(list)
    for row in rows:
        refusal = waits(row, about.as_of)
        if refusal is None and (row.other_id is None or difference(row) <= 0):
            refusal = NothingToClaim()
        if refusal is not None:
            refused[row.id] = refusal
        else:
            asked[row.merchant_id].append(row)
    known = await _between(session, rows)
    for merchant_id, those in asked.items():
        claims = [_claim(row, row.id in known, code, about.why) for row in those]
        raised = await raise_claims(
            session, alliance, claims, merchant_id=merchant_id, who=about.who, as_of=about.as_of
        )
        for row, one in zip(those, raised, strict=True):
            if isinstance(one, Refusal):
                refused[row.id] = one
            else:
                row.resolution_id = one.id
    await close(session, [row for row in rows if row.id not in refused], BreakStatus.CLAIMED, about)
    return _answered(items, refused)


def _claim(row: ReconBreak, is_between: bool, code: ClaimCode | None, text: str) -> ClaimAsked:
    return ClaimAsked(
        place=place_of(row) if is_between else None,
        against_id=row.other_id,
        amount=difference(row),
        code=code or _CODES.get(Outcome(row.outcome), ClaimCode.OTHER),
        text=text,
        cause_break_id=row.id,
    )


_CODES = {
    Outcome.MISSING_HERE: ClaimCode.MISSING_LINE,
    Outcome.DUPLICATE: ClaimCode.DUPLICATE,
    Outcome.AMOUNT_DIFFERS: ClaimCode.WRONG_AMOUNT,
    Outcome.PRICE_DIFFERS: ClaimCode.WRONG_PRICE,
}


async def _act(
    session: AsyncSession,
    runtime: Runtime,
    act: str,
    rows: Sequence[ReconBreak],
    items: list[Worked],
    about: About,
) -> Outcomes:
    """Do it, or ask for it, for those that were not refused."""
    _require_text(about.why)
    if not rows:
        return Outcomes(items)
    amount = sum(abs(difference(row)) for row in rows)
    args = {"breaks": [str(row.id) for row in rows]}
    outcome = await act_or_ask(session, runtime, act, args, amount=amount, about=about)
    if isinstance(outcome, Done):
        return Outcomes(items)
    assert isinstance(outcome, Waiting)
    waiting = {row.id for row in rows}
    return Outcomes([Worked(one.id, one.refusal, one.id in waiting) for one in items], outcome.approval_id)


async def _write_off(session: AsyncSession, runtime: Runtime, args: dict[str, Any], about: About) -> dict[str, Any]:
    """The act: those that are still open. Answers {closed, left}."""
    rows, items = await _open(session, _ids(args), about)
    return await _close(session, rows, items, BreakStatus.WRITTEN_OFF, about)


async def _adjust(session: AsyncSession, runtime: Runtime, args: dict[str, Any], about: About) -> dict[str, Any]:
    """The act: those that are still to be adjusted. Answers {closed, left}."""
    rows, items = await _open(session, _ids(args), about)
    rows, items = await _adjustable(session, rows, items, about)
    known = await _between(session, rows)
    for row in rows:
        amount = difference(row)
        assert row.other_id is not None
        parties = (row.other_id, row.merchant_id) if amount > 0 else (row.merchant_id, row.other_id)
        corrects = place_of(row) if row.id in known else None
        ids = await book(
            session,
            runtime.catalogue.alliance,
            [Line(*parties, abs(amount), corrects=corrects)],
            cause=Cause.BREAK,
            cause_id=row.id,
            who=about.who,
            why=about.why,
            as_of=about.as_of,
            approved_by=about.approved_by,
        )
        row.resolution_id = ids[0]
    return await _close(session, rows, items, BreakStatus.ADJUSTED, about)


ACTS[WRITE_OFF] = _write_off
ACTS[ADJUST] = _adjust


def _ids(args: dict[str, Any]) -> list[uuid.UUID]:
    return [uuid.UUID(id_) for id_ in args["breaks"]]


async def _close(
    session: AsyncSession, rows: Sequence[ReconBreak], items: Sequence[Worked], status: BreakStatus, about: About
) -> dict[str, Any]:
    """The breaks end so. Answers which were closed, and which were not any more."""
    closed = {row.id for row in rows}
    await close(session, rows, status, about)
    left = [str(one.id) for one in items if one.id not in closed]
    return {"closed": [str(one.id) for one in items if one.id in closed], "left": left}


async def close(session: AsyncSession, rows: Sequence[ReconBreak], status: BreakStatus, about: About) -> None:
    """The breaks end so: their merchants are told, and the operator."""
    who = "command line" if about.who == COMMAND_LINE else str(about.who)
    for row in rows:
        row.status, row.closed_at, row.closed_by, row.why = status.value, about.as_of, who, about.why
    await session.flush()
    told = {"status": status.value}
    await _tell(
        session,
        EventKind.BREAK_CLOSED,
        rows,
        about,
        lambda row: told | {"amount": difference(row), "reason": about.why},
    )


async def _open(
    session: AsyncSession, ids: Sequence[uuid.UUID], about: About, *, closed_too: bool = False
) -> tuple[list[ReconBreak], list[Worked]]:
    """The breaks of these ids that may be worked, locked; and of each whether it may. Raises InvalidInput."""
    if not 0 < len(ids) <= MOST:
        raise InvalidInput(reason=f"name 1 to {MOST} breaks", path=("breaks",))
    found = await queries.by_ids(session, about.merchant_id, ids, lock=True)
    rows, items = {}, []
    for number, id_ in enumerate(ids):
        row, path = found.get(id_), ("breaks", str(number))
        if row is None:
            items.append(Worked(id_, NotFound(what="break", path=path)))
        elif row.status != BreakStatus.OPEN and not closed_too:
            items.append(Worked(id_, BreakClosed(status=row.status, path=path)))
        else:
            rows[id_] = row
            items.append(Worked(id_))
    return list(rows.values()), items


async def _adjustable(
    session: AsyncSession, rows: Sequence[ReconBreak], items: Sequence[Worked], about: About
) -> tuple[list[ReconBreak], list[Worked]]:
    """Those of open breaks that may be adjusted, and why not the others."""
    corrected = await queries.corrected(session, [place for row in rows if (place := place_of(row)) is not None])
    refused: dict[uuid.UUID, Refusal] = {}
    for row in rows:
        refusal = waits(row, about.as_of) or _moved(row, corrected)
        if refusal is None and about.merchant_id is not None and difference(row) > 0:
            refusal = NotAllowed(reason="it is in this merchant's favour: claim it")
        if refusal is None and (row.other_id is None or not difference(row)):
            refusal = InvalidInput(reason="there is nothing to book, or nobody to book it with")
        if refusal is not None:
            refused[row.id] = refusal
    return [row for row in rows if row.id not in refused], _answered(items, refused)


def _answered(items: Sequence[Worked], refused: Mapping[uuid.UUID, Refusal]) -> list[Worked]:
    """The items, with what was refused since; by its place in the call."""
    return [
        Worked(one.id, refused[one.id].at("breaks", str(number))) if one.id in refused else one
        for number, one in enumerate(items)
    ]


def waits(row: ReconBreak, as_of: datetime) -> Refusal | None:
    """Whether the other side may still book it."""
    if row.outcome != Outcome.TIMING or row.due_at is None or row.due_at <= as_of:
        return None
    return BreakWaits(until=row.due_at.isoformat())


def _moved(row: ReconBreak, corrected: Collection[tuple[uuid.UUID, int]]) -> Refusal | None:
    place = place_of(row)
    return BreakMoved() if place is not None and place[1:] in corrected else None


def place_of(row: ReconBreak) -> Place | None:
    """Where our line lies; None if there is none."""
    if row.holder_id is None or row.operation_id is None or row.seq is None:
        return None
    return row.holder_id, row.operation_id, row.seq


async def _between(session: AsyncSession, rows: Sequence[ReconBreak]) -> set[uuid.UUID]:
    """Which breaks have a line of ours that is between their two parties."""
    places = {row.id: place for row in rows if (place := place_of(row)) is not None}
    key = tuple_(Obligation.holder_id, Obligation.operation_id, Obligation.seq)
    lines = await session.scalars(select(Obligation).where(key.in_(list(set(places.values())))))
    pairs = {(line.holder_id, line.operation_id, line.seq): {line.debtor_id, line.creditor_id} for line in lines}
    return {row.id for row in rows if row.id in places and pairs.get(places[row.id]) == {row.merchant_id, row.other_id}}


def _require_text(text: str) -> None:
    if not text.strip():
        raise InvalidInput(reason="say why", path=("reason",))
    require_short(text)


async def _tell(
    session: AsyncSession,
    kind: EventKind,
    rows: Sequence[ReconBreak],
    about: About,
    more: Callable[[ReconBreak], dict[str, Any]],
) -> None:
    """Whose file it was; not its partner, who does not see it (A14)."""
    events = []
    for row in rows:
        told = {"break": str(row.id), "merchant": str(row.merchant_id), "outcome": row.outcome}
        told["asOf"] = about.as_of.isoformat()
        events.append(NewEvent(row.id, kind, told | more(row), (row.merchant_id,)))
    await add_events(session, events)
