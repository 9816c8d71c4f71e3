"""Lines in, answers out, a chunk at a time: parse, authorise, recognise, enrol, value, post.

`prepare` does all that needs no ledger and may run while the chunk before is still being posted; `post` does the rest.
One bad line refuses itself alone (I1).
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from itertools import groupby
from typing import NamedTuple
from uuid import UUID, uuid5

from msgspec import UNSET

from alliance.clearing.commands import earn_request, reverse_request
from alliance.clearing.grants import activate_request
from alliance.clearing.tenders import PaidBy
from alliance.intake import queries, rules
from alliance.intake.answers import combined
from alliance.intake.codes import shown_by
from alliance.intake.model import Decision, Line, Purchase, Return, RightGrantLine, RightUseLine, TopUpLine
from alliance.intake.rights import Using, call_of, find, granting
from alliance.runtime import Runtime
from alliance.stored_value.commands import top_up_request
from alliance.stored_value.limits import within_limit
from domain.benefits.commands import GrantRight
from domain.benefits.rules import Codes
from domain.codes.commands import Presenting
from domain.errors import InvalidInput, NotAllowed, NotFound, Refusal
from domain.ledger.commands import Earn
from domain.ledger.due import DuePending, pending_of
from domain.ledger.errors import AlreadyReversed, MemberMerged, NotPending
from domain.ledger.grants import Reject
from domain.ledger.request import Key, Outcome, Posted, Request, Rider, fingerprint_of
from domain.ledger.returns import Asked
from domain.ledger.reversals import Reverse
from domain.ledger.stored_value import TopUp
from domain.members.commands import enrol_many
from domain.members.model import EnrolAsk, Enrolled, IdentifierRef, MemberRef, Resolved
from domain.members.queries import resolve
from domain.programs.catalogue import Merchant

SLICE = 10
"""Lines that are worked on before others get their turn: neither single calls nor the engine, which acts on several
answers of the database in a batch, wait long for a feed (measured: 50 lines cost a sixth of the rate in bulk)."""

NOBODY = UUID(int=0)
"""Whose a purchase is until its member is known."""

Sent = bytes | Line | Refusal
"""A line as it came, or as it was made of a row; or why it is none."""


def _nothing(id_: str) -> tuple[UUID, ...]:
    raise NotFound(what="operation")


@dataclass(frozen=True, slots=True)
class Sender:
    """Who sends, with what rights. `merchant_id` limits to one merchant; `secret` is that of the fingerprints.

    `operation_of` reads the (holder, id) of an operation from the id that clients know; raises NotFound.
    A sender who `may_verify` vouches for identifiers that have to be verified.
    A sender who `corrects` sends what was refused again under its key: its refusals are not remembered.
    """

    client_id: UUID
    subject: UUID
    secret: bytes
    merchant_id: UUID | None
    may_give: bool
    may_reverse: bool
    operation_of: Callable[[str], tuple[UUID, ...]] = _nothing
    corrects: bool = False
    may_grant: bool = False
    may_use: bool = False
    may_verify: bool = True


class Answer(NamedTuple):
    """What became of a line. A return's points are what was taken back, negative.

    `refused` is why a part of a return was refused, after another was booked.
    """

    key: str | None
    outcome: Outcome
    refused: Refusal | None = None


@dataclass(slots=True)
class _Buying:
    """A purchase on its way, valued, a top up, or a right: all that is left of its line."""

    key: str
    ask: EnrolAsk
    request: Earn | TopUp | GrantRight
    shown: Presenting | None = None
    mark: Rider | None = None
    outcome: Outcome | None = None
    refused: Refusal | None = None

    def own(self, runtime: Runtime, member_id: UUID) -> None:
        """Say whose it is."""
        request = self.request
        request.holder_id = member_id
        if isinstance(request, TopUp):
            catalogue = runtime.catalogue
            issuer, kind = catalogue.merchants_by_id[request.merchant_id], catalogue.currencies[request.currency]
            request.riders = within_limit(catalogue, issuer, kind, member_id, request.as_of)
        if self.shown is not None:
            request.gates = (self.shown,)
        if self.mark is not None:
            request.riders += (self.mark,)


@dataclass(slots=True)
class _Returning:
    """A return on its way, or what the points of an order waited for."""

    key: str
    ask: EnrolAsk
    line: Return | Decision
    asked: Asked
    fingerprint: bytes
    shown: Presenting | None = None
    mark: Rider | None = None
    member_id: UUID = NOBODY
    outcome: Outcome | None = None
    refused: Refusal | None = None


_Item = _Buying | _Returning


@dataclass(frozen=True, slots=True)
class Chunk:
    """Lines that are ready to be posted, and the answers to those that never will be."""

    items: list[_Buying | _Returning | Using | Answer]


async def take(runtime: Runtime, sender: Sender, lines: Sequence[Sent], as_of: datetime | None) -> list[Answer]:
    """Post lines; one answer a line, in order. `as_of` None: the time that each line names. Raises only faults."""
    return await post(runtime, sender, await prepare(runtime, sender, lines, as_of))


async def prepare(
    runtime: Runtime,
    sender: Sender,
    lines: Sequence[Sent],
    as_of: datetime | None,
    marks: Sequence[Rider] | None = None,
) -> Chunk:
    """All that comes before the ledger: the lines checked, their points valued, their members known or enrolled.

    `marks`, one a line, ride on whatever is posted for it.
    """
    items: list[_Buying | _Returning | Using | Answer] = []
    for start in range(0, len(lines), SLICE):
        items += [_heard(runtime, sender, line, as_of) for line in lines[start : start + SLICE]]
        await asyncio.sleep(0)
    for item, mark in zip(items, marks or (), strict=False):
        if not isinstance(item, Answer):
            item.mark = mark
    purchases = [item for item in items if isinstance(item, _Buying)]
    for item, member in zip(purchases, await _recognised(runtime, purchases), strict=True):
        if isinstance(member, Refusal):
            item.outcome = member
        else:
            item.own(runtime, member)
    await find(runtime, [item for item in items if isinstance(item, Using)])
    return Chunk(items)


async def post(runtime: Runtime, sender: Sender, chunk: Chunk) -> list[Answer]:
    """Post a prepared chunk in its order: a return finds the purchases that came before it."""
    waiting = (item for item in chunk.items if not isinstance(item, Answer) and item.outcome is None)
    for kind, run in groupby(waiting, key=type):
        if kind is _Buying:
            purchases = [item for item in run if isinstance(item, _Buying)]
            await _post_purchases(runtime, purchases)
        elif kind is Using:
            uses = [(item, item.request) for item in run if isinstance(item, Using) and item.request is not None]
            outcomes = await runtime.engine.post_many([request for _, request in uses])
            for (used, _), outcome in zip(uses, outcomes, strict=True):
                used.outcome = outcome
        else:
            await _post_returns(runtime, sender, [item for item in run if isinstance(item, _Returning)])
    return [
        item if isinstance(item, Answer) else Answer(item.key, _known(item.outcome), item.refused)
        for item in chunk.items
    ]


async def _post_purchases(runtime: Runtime, items: Sequence[_Buying]) -> None:
    """Post purchases; those of members who were merged meanwhile again, for whom they are now."""
    for item, outcome in zip(items, await runtime.engine.post_many([item.request for item in items]), strict=True):
        item.outcome = outcome
    merged = [item for item in items if isinstance(item.outcome, MemberMerged)]
    anew = []
    for item, member in zip(merged, await _recognised(runtime, merged), strict=True):
        if isinstance(member, UUID) and member != item.request.holder_id:
            item.request.holder_id = member
            anew.append(item)
    if anew:
        await _post_purchases(runtime, anew)


def _known(outcome: Outcome | None) -> Outcome:
    assert outcome is not None
    return outcome


def _heard(
    runtime: Runtime, sender: Sender, raw: Sent, as_of: datetime | None
) -> _Buying | _Returning | Using | Answer:
    """A line: checked, authorised, and if it is a purchase, valued.

    All of it at once, and the line let go: on a whole chunk in several passes it takes half as long again.
    """
    if isinstance(raw, Refusal):
        return Answer(None, raw)
    if isinstance(raw, bytes):
        try:
            line = rules.parse(raw)
        except Refusal as refusal:
            return Answer(rules.key_of(raw), refusal)
    else:
        line = raw
    try:
        merchant = _authorised(runtime, sender, line)
        moment = as_of or line.occurredAt
        if moment is None:
            raise InvalidInput(reason="a feed on event time needs occurredAt", path=("occurredAt",))
        if isinstance(line, RightUseLine):
            call = call_of(line, merchant, _line_key(sender, line), moment)
            code_hash = Codes(sender.secret).hashed(line.code)
            decided = sender.merchant_id is None
            return Using(line.key, call, code_hash, int(line.quantity), decided, not sender.corrects)
        shown = None if line.member.token is UNSET else shown_by(runtime, merchant, line, moment)
        member = IdentifierRef(line.member.type, line.member.issuer, line.member.value)
        ask = EnrolAsk(line.merchant, line.channel, line.store, (member,), moment, verified=sender.may_verify)
        fingerprint = fingerprint_of(sender.secret, rules.sent(line))
        request: Earn | TopUp | GrantRight
        if isinstance(line, RightGrantLine):
            call = call_of(line, merchant, _line_key(sender, line), moment)
            request = granting(runtime, line, call, sender.secret, NOBODY)
        elif isinstance(line, TopUpLine):
            request = _top_up(runtime, sender, merchant, line, moment, fingerprint)
        elif isinstance(line, Purchase):
            request = _request(runtime, sender, merchant, line, moment, fingerprint)
        else:
            asked = rules.asked_of(line) if isinstance(line, Return) else Asked()
            return _Returning(line.key, ask, line, asked, fingerprint, shown)
        request.remembers = not sender.corrects
        return _Buying(line.key, ask, request, shown)
    except Refusal as refusal:
        return Answer(line.key, refusal)


def _line_key(sender: Sender, line: Line) -> Key:
    return Key(sender.client_id, sender.subject, line.key, fingerprint_of(sender.secret, rules.sent(line)))


def _authorised(runtime: Runtime, sender: Sender, line: Line) -> Merchant:
    """The line's merchant. Raises NotFound if it is not there, NotAllowed for what the sender may not do."""
    merchant = runtime.catalogue.merchants.get(line.merchant)
    if merchant is None:
        raise NotFound(what=f"merchant {line.merchant!r}", path=("merchant",))
    if sender.merchant_id is not None and sender.merchant_id != merchant.id:
        raise NotAllowed(reason="the sender acts for another merchant", path=("merchant",))
    if isinstance(line, Return):
        if not sender.may_reverse:
            raise NotAllowed(reason="the sender may not report returns", path=("type",))
    elif isinstance(line, RightGrantLine | RightUseLine):
        if not (sender.may_grant if isinstance(line, RightGrantLine) else sender.may_use):
            raise NotAllowed(reason="the sender may not do this to rights", path=("type",))
    elif isinstance(line, Purchase) and line.points is not None and not sender.may_give:
        raise NotAllowed(reason="the sender may not set points", path=("points",))
    elif isinstance(line, TopUpLine) and line.bonus is not None and not sender.may_give:
        raise NotAllowed(reason="the sender may not give a bonus", path=("bonus",))
    return merchant


def _request(
    runtime: Runtime, sender: Sender, merchant: Merchant, line: Purchase, as_of: datetime, fingerprint: bytes
) -> Earn:
    """What a purchase asks of the ledger; whose it is, is not known yet. Raises a Refusal."""
    order = rules.order_of(line)
    return earn_request(
        runtime,
        member_id=NOBODY,
        merchant=merchant,
        currency=line.currency,
        channel=line.channel,
        store=line.store,
        order_ref=line.orderRef,
        occurred_at=line.occurredAt or as_of,
        as_of=as_of,
        key=Key(sender.client_id, sender.subject, line.key, fingerprint),
        client_id=sender.client_id,
        money=order.money,
        lines=order.lines,
        details=partial(rules.kept_lines, line) if order.lines else None,
        amount=order.amount,
        points=order.points,
        tenders=order.tenders,
        paid_by=_paid_by(sender, line, order) if line.tenders else (),
        decided=sender.merchant_id is None,
    )


def _top_up(
    runtime: Runtime, sender: Sender, merchant: Merchant, line: TopUpLine, as_of: datetime, fingerprint: bytes
) -> TopUp:
    """What a top up asks of the ledger; whose it is, is not known yet. Raises a Refusal."""
    return top_up_request(
        runtime,
        member_id=NOBODY,
        merchant=merchant,
        paid=(line.paid.amount, line.paid.currency),
        bonus=None if line.bonus is None else (line.bonus.amount, line.bonus.currency),
        currency=line.currency,
        channel=line.channel,
        store=line.store,
        order_ref=line.orderRef,
        occurred_at=line.occurredAt or as_of,
        as_of=as_of,
        key=Key(sender.client_id, sender.subject, line.key, fingerprint),
        client_id=sender.client_id,
    )


def _paid_by(sender: Sender, line: Purchase, order: rules.Order) -> list[PaidBy]:
    """The tenders that name the operation that paid them. Raises NotFound."""
    paid: list[PaidBy] = []
    for place, (tender, (kind, amount)) in enumerate(zip(line.tenders or (), order.tenders, strict=False)):
        if tender.operation is not None:
            try:
                holder_id, operation_id = sender.operation_of(tender.operation)
            except NotFound as refusal:
                raise refusal.at("tenders", str(place), "operation") from None
            paid.append(PaidBy(place, kind, amount, holder_id, operation_id))
    return paid


async def _recognised(runtime: Runtime, items: Sequence[_Item]) -> list[UUID | Refusal]:
    """Whose each line is: who is known, in one statement; whom a purchase may enrol, in one transaction."""
    if not items:
        return []
    catalogue = runtime.catalogue
    async with runtime.database.session() as session:
        found = await resolve(session, catalogue, [(item.ask.merchant, _named(item)) for item in items])
    members: list[UUID | Refusal] = []
    strangers: list[int] = []
    for place, (item, known) in enumerate(zip(items, found, strict=True)):
        members.append(known.member_id if isinstance(known, Resolved) else known)
        enrols = catalogue.merchants[item.ask.merchant].enrol_on_purchase
        if isinstance(item, _Buying) and item.shown is None and enrols:
            joined = known.joined if isinstance(known, Resolved) else not isinstance(known, NotFound)
            if not joined:
                strangers.append(place)
    if strangers:
        async with runtime.database.transaction() as session:
            enrolled = await enrol_many(session, catalogue, [items[place].ask for place in strangers])
        for place, answer in zip(strangers, enrolled, strict=True):
            members[place] = answer.member_id if isinstance(answer, Enrolled) else answer
    return members


def _named(item: _Item) -> MemberRef:
    return item.ask.identifiers[0] if item.shown is None else item.shown.shown.member_id


async def _post_returns(runtime: Runtime, sender: Sender, items: list[_Returning]) -> None:
    """Reverse what the orders of these returns did (R23): restore what was spent on them, then take back the earns.

    The first reversal of each carries the line's key. Only where that is accepted follow the others, so that a refused
    return has done nothing. Their members are looked up only now: the purchase may have enrolled them.
    """
    for item, member in zip(items, await _recognised(runtime, items), strict=True):
        if isinstance(member, Refusal):
            item.outcome = member
        else:
            item.member_id = member
    items = [item for item in items if item.outcome is None]
    wanted: list[tuple[_Returning, list[Request]]] = []
    for item, requests in zip(items, await _requests(runtime, sender, items), strict=True):
        if isinstance(requests, Refusal):
            item.outcome = requests
            continue
        for request in requests:
            request.remembers = not sender.corrects
            request.riders += () if item.mark is None else (item.mark,)
        if item.shown is not None:
            requests[0].gates = (item.shown,)
        wanted.append((item, requests))
    firsts = await runtime.engine.post_many([requests[0] for _, requests in wanted])
    accepted = [isinstance(first, Posted | AlreadyReversed) for first in firsts]
    more = [r for ok, (_, requests) in zip(accepted, wanted, strict=True) if ok for r in requests[1:]]
    others = iter(await runtime.engine.post_many(more))
    for ok, first, (item, requests) in zip(accepted, firsts, wanted, strict=True):
        rest = [next(others) for _ in requests[1:]] if ok else []
        item.outcome, item.refused = combined([first, *rest])


async def _requests(runtime: Runtime, sender: Sender, items: list[_Returning]) -> list[list[Request] | Refusal]:
    """What each line asks of the ledger; a refusal where its order has nothing that it could be about."""
    orders = [_order(runtime, item) for item in items]
    async with runtime.database.session() as session:
        found = await queries.operations_of_orders(session, orders)
        earns = [
            (under, id_)
            for item, order in zip(items, orders, strict=True)
            if isinstance(item.line, Decision)
            for under, id_, kind in found.get(order, ())
            if kind == "EARN"
        ]
        waiting = await pending_of(session, earns) if earns else ()
    requests: list[list[Request] | Refusal] = []
    for item, order in zip(items, orders, strict=True):
        done = found.get(order, [])
        if not done:
            requests.append(NotFound(what=f"order {item.line.of!r}", path=("of",)))
        elif isinstance(item.line, Decision):
            ids = {(one.holder_id, one.id) for one in done}
            asked = [row for row in waiting if (row.holder_id, row.operation_id) in ids]
            requests.append(_decisions(runtime, sender, item, asked) or NotPending(path=("of",)))
        else:
            earn = next(((one.holder_id, one.id) for one in done if one.kind == "EARN"), None)
            item.asked = item.asked if item.asked.everything else replace(item.asked, order=earn)
            undone = [one for one in done if one.kind == "EARN" or item.line.restore]
            requests.append(
                [_reversal(runtime, sender, item, one, n) for n, one in enumerate(undone)]
                or NotFound(what=f"order {item.line.of!r}", path=("of",))
            )
    return requests


def _decisions(runtime: Runtime, sender: Sender, item: _Returning, asked: list[DuePending]) -> list[Request]:
    """A request an earn of the order of which something waits; if nothing does any more, of which something did."""
    rows = [row for row in asked if not row.done] or asked
    requests: list[Request] = []
    for n, (earn, of_earn) in enumerate(groupby(rows, key=lambda row: (row.holder_id, row.operation_id))):
        if item.line.type == "REJECT":
            of_order = queries.OfOrder(*earn, "EARN")
            requests.append(Reject.of(_reversal(runtime, sender, item, of_order, n)))
        else:
            key = _key(sender, item, n)
            asked_at, client_id = item.ask.as_of, sender.client_id
            requests.append(
                activate_request(runtime, list(of_earn), as_of=asked_at, key=key, client_id=client_id, confirms=True)
            )
    return requests


def _order(runtime: Runtime, item: _Returning) -> queries.OrderKey:
    return item.member_id, runtime.catalogue.merchants[item.line.merchant].id, item.line.of


def _key(sender: Sender, item: _Returning, number: int) -> Key:
    """The key of a line's postings. The first has the line's own.

    The further ones have spaces of keys of their own, in which no other line's key can lie.
    """
    subject = uuid5(sender.subject, str(number)) if number else sender.subject
    return Key(sender.client_id, subject, item.key, item.fingerprint)


def _reversal(runtime: Runtime, sender: Sender, item: _Returning, of: queries.OfOrder, number: int) -> Reverse:
    """A posting of a return."""
    at_fault = isinstance(item.line, Return) and item.line.merchantAtFault is True and of.kind == "REDEEM"
    return reverse_request(
        runtime,
        holder_id=of.holder_id,
        operation_id=of.id,
        occurred_at=item.line.occurredAt or item.ask.as_of,
        as_of=item.ask.as_of,
        key=_key(sender, item, number),
        client_id=sender.client_id,
        asked=item.asked,
        at_fault=runtime.catalogue.merchants[item.line.merchant] if at_fault else None,
    )
