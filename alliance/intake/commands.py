"""Lines in, answers out, a chunk at a time: parse, authorise, recognise, enrol, value, post.

`prepare` does all that needs no ledger and may run while the chunk before is still being posted; `post` does the rest.
One bad line refuses itself alone (I1).
"""

import asyncio
import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from itertools import groupby
from uuid import UUID, uuid5

import msgspec

from alliance.clearing.commands import earn_request, reverse_request
from alliance.intake import queries, rules
from alliance.intake.errors import NotSupported
from alliance.intake.model import Purchase, Return
from alliance.runtime import Runtime
from domain.errors import InvalidInput, NotAllowed, NotFound, Refusal
from domain.ledger.errors import AlreadyReversed
from domain.ledger.request import Key, Outcome, Posted, Request
from domain.members.commands import enrol_many
from domain.members.model import EnrolAsk, Enrolled, IdentifierRef, Resolved
from domain.members.queries import resolve

SLICE = 10
"""Lines that are worked on before others get their turn: neither single calls nor the engine, which acts on several
answers of the database in a batch, wait long for a feed (measured: 50 lines cost a sixth of the rate in bulk)."""

_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Sender:
    """Who sends, with what rights. `merchant_id` limits to one merchant; `secret` is that of the fingerprints."""

    client_id: UUID
    subject: UUID
    secret: bytes
    merchant_id: UUID | None
    may_give: bool
    may_reverse: bool


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a line. A return's points are what was taken back, negative."""

    key: str | None
    outcome: Outcome


@dataclass(slots=True)
class _Item:
    """A line on its way: once it has an `outcome`, nothing more is done for it."""

    key: str | None
    line: Purchase | Return | None = None
    member_id: UUID | None = None
    as_of: datetime | None = None
    order: rules.Order | None = None
    fingerprint: bytes = b""
    request: Request | None = None
    outcome: Outcome | None = None


@dataclass(frozen=True, slots=True)
class Chunk:
    """Lines that are ready to be posted."""

    items: list[_Item] = field(default_factory=list)


async def take(
    runtime: Runtime, sender: Sender, lines: Sequence[bytes | Refusal], as_of: datetime | None
) -> list[Answer]:
    """Post lines; one answer a line, in order. `as_of` None: the time that each line names. Raises only faults."""
    return await post(runtime, sender, await prepare(runtime, sender, lines, as_of))


async def prepare(runtime: Runtime, sender: Sender, lines: Sequence[bytes | Refusal], as_of: datetime | None) -> Chunk:
    """All that comes before the ledger: the lines checked, their members known or enrolled, their points valued."""
    items: list[_Item] = []
    for start in range(0, len(lines), SLICE):
        items += [_parsed(runtime, sender, line, as_of) for line in lines[start : start + SLICE]]
        await asyncio.sleep(0)
    await _recognise(runtime, [item for item in items if item.outcome is None and isinstance(item.line, Purchase)])
    purchases = [item for item in items if item.outcome is None and isinstance(item.line, Purchase)]
    for start in range(0, len(purchases), SLICE):
        for item in purchases[start : start + SLICE]:
            _value(runtime, sender, item)
        await asyncio.sleep(0)
    return Chunk(items)


async def post(runtime: Runtime, sender: Sender, chunk: Chunk) -> list[Answer]:
    """Post a prepared chunk in its order: a return finds the purchases that came before it."""
    open_items = [item for item in chunk.items if item.outcome is None]
    for is_return, run in groupby(open_items, key=lambda item: isinstance(item.line, Return)):
        items = list(run)
        if is_return:
            await _post_returns(runtime, sender, items)
        else:
            outcomes = await runtime.engine.post_many([item.request for item in items if item.request is not None])
            for item, outcome in zip(items, outcomes, strict=True):
                item.outcome = outcome
    return [Answer(item.key, item.outcome) for item in chunk.items if item.outcome is not None]


def _parsed(runtime: Runtime, sender: Sender, raw: bytes | Refusal, as_of: datetime | None) -> _Item:
    """A line, checked and authorised."""
    if isinstance(raw, Refusal):
        return _Item(None, outcome=raw)
    try:
        line = rules.parse(raw)
    except Refusal as refusal:
        return _Item(rules.key_of(raw), outcome=refusal)
    item = _Item(line.key, line)
    try:
        _authorise(runtime, sender, line)
        item.as_of = as_of or line.occurredAt
        if item.as_of is None:
            raise InvalidInput(reason="a feed on event time needs occurredAt", path=("occurredAt",))
        if isinstance(line, Purchase):
            item.order = rules.order_of(line)
        item.fingerprint = hmac.digest(sender.secret, _encode(line), "sha256")
    except Refusal as refusal:
        item.outcome = refusal
    return item


def _authorise(runtime: Runtime, sender: Sender, line: Purchase | Return) -> None:
    """Raises NotFound for a merchant that is not there, NotAllowed for what the sender may not do."""
    merchant = runtime.catalogue.merchants.get(line.merchant)
    if merchant is None:
        raise NotFound(what=f"merchant {line.merchant!r}", path=("merchant",))
    if sender.merchant_id not in (None, merchant.id):
        raise NotAllowed(reason="the sender acts for another merchant", path=("merchant",))
    if isinstance(line, Return):
        if not sender.may_reverse:
            raise NotAllowed(reason="the sender may not report returns", path=("type",))
        if line.lines is not None:
            raise NotSupported(what="a return by line", path=("lines",))
    elif line.points is not None and not sender.may_give:
        raise NotAllowed(reason="the sender may not set points", path=("points",))


async def _recognise(runtime: Runtime, items: Sequence[_Item]) -> None:
    """Give each item its member: who is known, in one statement; who is not, enrolled in one transaction."""
    if not items:
        return
    catalogue = runtime.catalogue
    lines = [item.line for item in items if item.line is not None]
    async with runtime.database.session() as session:
        found = await resolve(session, catalogue, [(line.merchant, _reference(line)) for line in lines])
    strangers: list[_Item] = []
    asks: list[EnrolAsk] = []
    for item, line, known in zip(items, lines, found, strict=True):
        enrols = isinstance(line, Purchase) and catalogue.merchants[line.merchant].enrol_on_purchase
        if enrols and (isinstance(known, NotFound) or (isinstance(known, Resolved) and not known.joined)):
            assert item.as_of is not None
            strangers.append(item)
            asks.append(EnrolAsk(line.merchant, line.channel, line.store, (_reference(line),), item.as_of))
        elif isinstance(known, Resolved):
            item.member_id = known.member_id
        else:
            item.outcome = known
    if not asks:
        return
    async with runtime.database.transaction() as session:
        enrolled = await enrol_many(session, catalogue, asks)
    for item, answer in zip(strangers, enrolled, strict=True):
        if isinstance(answer, Enrolled):
            item.member_id = answer.member_id
        else:
            item.outcome = answer


def _reference(line: Purchase | Return) -> IdentifierRef:
    return IdentifierRef(line.member.type, line.member.issuer, line.member.value)


def _value(runtime: Runtime, sender: Sender, item: _Item) -> None:
    """Make the request of a purchase, its points valued by the rules."""
    line = item.line
    assert isinstance(line, Purchase)
    assert item.member_id is not None
    assert item.as_of is not None
    assert item.order is not None
    order = item.order
    try:
        item.request = earn_request(
            runtime,
            member_id=item.member_id,
            merchant=runtime.catalogue.merchants[line.merchant],
            currency=line.currency,
            channel=line.channel,
            store=line.store,
            order_ref=line.orderRef,
            occurred_at=line.occurredAt or item.as_of,
            as_of=item.as_of,
            key=_key(sender, item),
            client_id=sender.client_id,
            money=order.money,
            lines=order.lines,
            details=partial(rules.kept_lines, line) if order.lines else None,
            amount=order.amount,
            points=order.points,
            tenders=order.tenders,
        )
    except Refusal as refusal:
        item.outcome = refusal


def _key(sender: Sender, item: _Item, number: int = 0) -> Key:
    """The line's idempotency key, for its posting of that number; its fingerprint is of the fields as sent.

    The further postings of a line have spaces of keys of their own, in which no other line's key can lie.
    """
    subject = uuid5(sender.subject, str(number)) if number else sender.subject
    return Key(sender.client_id, subject, str(item.key), item.fingerprint)


async def _post_returns(runtime: Runtime, sender: Sender, items: Sequence[_Item]) -> None:
    """Reverse what the orders of these returns did (R23): restore what was spent on them, then take back the earns.

    The first reversal of each carries the line's key. Only where that is accepted follow the others, so that a refused
    return has done nothing. Their members are looked up only now: the purchase may have enrolled them.
    """
    await _recognise(runtime, items)
    items = [item for item in items if item.outcome is None]
    orders = [_order(runtime, item) for item in items]
    async with runtime.database.session() as session:
        found = await queries.operations_of_orders(session, orders)
    wanted: list[tuple[_Item, list[Request]]] = []
    for item, order in zip(items, orders, strict=True):
        line = item.line
        assert isinstance(line, Return)
        ids = [id_ for id_, kind in found.get(order, []) if kind == "EARN" or line.restore]
        if ids:
            wanted.append((item, [_reversal(runtime, sender, item, id_, n) for n, id_ in enumerate(ids)]))
        else:
            item.outcome = NotFound(what=f"order {line.of!r}", path=("of",))
    firsts = await runtime.engine.post_many([requests[0] for _, requests in wanted])
    accepted = [isinstance(first, Posted | AlreadyReversed) for first in firsts]
    more = [r for ok, (_, requests) in zip(accepted, wanted, strict=True) if ok for r in requests[1:]]
    others = iter(await runtime.engine.post_many(more))
    for ok, first, (item, requests) in zip(accepted, firsts, wanted, strict=True):
        rest = [next(others) for _ in requests[1:]] if ok else []
        item.outcome = _combined([first, *rest])


def _order(runtime: Runtime, item: _Item) -> queries.OrderKey:
    line = item.line
    assert isinstance(line, Return)
    assert item.member_id is not None
    return item.member_id, runtime.catalogue.merchants[line.merchant].id, line.of


def _reversal(runtime: Runtime, sender: Sender, item: _Item, operation_id: UUID, number: int) -> Request:
    assert item.line is not None
    assert item.member_id is not None
    assert item.as_of is not None
    return reverse_request(
        runtime,
        holder_id=item.member_id,
        operation_id=operation_id,
        occurred_at=item.line.occurredAt or item.as_of,
        as_of=item.as_of,
        key=_key(sender, item, number),
        client_id=sender.client_id,
    )


def _combined(outcomes: Sequence[Outcome]) -> Outcome:
    """The answer to a return: its points are what was taken back, negative. What was reversed before does not count."""
    posted = [outcome for outcome in outcomes if isinstance(outcome, Posted)]
    if not posted:
        return outcomes[0]
    taken = sum(outcome.data.get("taken", 0) for outcome in posted)
    return replace(posted[0], points=-taken, duplicate=all(outcome.duplicate for outcome in posted))
