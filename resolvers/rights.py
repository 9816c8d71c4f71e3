"""Rights in reach, and what is done to them (A15).

A member sees what is theirs; a merchant what it granted, and, by its code or once it was booked or used there, what is
used at its own.
"""

from collections.abc import Sequence
from datetime import date, datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from strawberry.dataloader import DataLoader

from alliance.agreements.rules import day_bounds
from alliance.benefits.commands import (
    Call,
    cancel_request,
    end_booking_request,
    grant_request,
    reserve_request,
    restore_request,
    use_request,
)
from alliance.benefits.queries import RightsLine
from alliance.benefits.queries import report as lines
from domain.benefits import queries
from domain.benefits.errors import RightNotFound
from domain.benefits.model import Right, RightBooking, RightStatus
from domain.benefits.queries import MoveRow, Place, RightsKey
from domain.benefits.rules import Codes
from domain.errors import InvalidInput, NotAllowed, NotFound
from domain.ledger.aliases import survivors
from domain.ledger.model import OperationKind
from domain.ledger.queries import OperationRow
from domain.ledger.request import Key, Posted
from domain.programs.catalogue import Merchant
from resolvers import ids, operations
from resolvers.acting import member_of, merchant_of, one_of
from resolvers.codes import using
from resolvers.context import Context
from resolvers.loaders import later
from resolvers.pages import Page, Window, page
from resolvers.reach import members_of, sees_holder
from resolvers.sent import Sent, key_of, occurred_at

SHAPE = (UUID,)


def codes(context: Context) -> Codes:
    """The codes of this house."""
    return Codes(context.house.fingerprint_secret)


def _call(context: Context, name: str, merchant: Merchant, sent: Sent, key: Key | None = None) -> Call:
    return Call(
        at=merchant,
        occurred_at=occurred_at(context, sent),
        as_of=context.as_of,
        key=key or key_of(context, name, sent),
        client_id=context.signed_in.client_id,
        channel=sent["channel"].value if sent.get("channel") is not None else None,
        store=sent.get("store"),
        order_ref=sent.get("orderRef"),
        dry_run=bool(sent.get("dryRun")),
    )


async def grant(context: Context, sent: Sent) -> Posted:
    """Let a member use one of the merchant's benefits. Raises a Refusal, or Overloaded."""
    merchant = merchant_of(context, sent["merchant"])
    request = grant_request(
        context.runtime,
        _call(context, "grantRight", merchant, sent),
        member_id=await member_of(context, merchant, sent["member"]),
        kind=sent["kind"],
        codes=codes(context),
        quantity=sent.get("quantity"),
        valid_from=sent.get("validFrom"),
    )
    using(context, request, sent)
    return await context.runtime.engine.post(request)


async def use(context: Context, sent: Sent) -> Posted:
    """Use a right at a merchant. Raises a Refusal, or Overloaded."""
    merchant = merchant_of(context, sent["merchant"])
    right, code_hash = await _named(context, sent["right"])
    request = use_request(
        context.runtime,
        _call(context, "useRight", merchant, sent),
        right,
        quantity=1 if sent.get("quantity") is None else sent["quantity"],
        code_hash=code_hash,
        decided=context.signed_in.kind == "operator",
    )
    return await context.runtime.engine.post(request)


async def reserve(context: Context, sent: Sent) -> Posted:
    """Book one use of a right; a member theirs, wherever it is used. Raises a Refusal, or Overloaded."""
    merchant = merchant_of(context, sent["merchant"])
    right, code_hash = await _named(context, sent["right"])
    request = reserve_request(
        context.runtime,
        _call(context, "reserveRight", merchant, sent),
        right,
        until=sent.get("until"),
        cancel_until=sent.get("cancelUntil"),
        code_hash=code_hash,
    )
    return await context.runtime.engine.post(request)


async def cancel(context: Context, sent: Sent) -> Posted:
    """Cancel a booking, or all that is left of a right. Raises a Refusal, or Overloaded."""
    key = key_of(context, "cancelRight", sent)
    if one_of(sent, "right", "booking") == "booking":
        booking = await _booking(context, sent["booking"])
        found = await load(context, booking.holder_id, booking.right_id)
        if found is None:
            raise NotFound(what="booking", path=("booking",))
        own = context.own_merchant_id
        if own not in (None, booking.merchant_id, found.grantor_id):
            raise NotAllowed(reason="it was booked at another merchant", path=("booking",))
        merchant = context.runtime.catalogue.merchants_by_id[booking.merchant_id]
        call = _call(context, "cancelRight", merchant, sent, key)
        return await context.runtime.engine.post(end_booking_request(context.runtime, call, found, booking.id))
    found = await _by_id(context, sent["right"])
    if context.signed_in.kind == "member" or context.own_merchant_id not in (None, found.grantor_id):
        raise NotAllowed(reason="its grantor takes back what is left of a right", path=("right",))
    grantor = context.runtime.catalogue.merchants_by_id[found.grantor_id]
    call = _call(context, "cancelRight", grantor, sent, key)
    return await context.runtime.engine.post(cancel_request(call, found, reason=sent.get("reason")))


async def restore(context: Context, sent: Sent) -> Posted:
    """Undo a use, a no-show or a cancellation, where it happened. Raises a Refusal, or Overloaded."""
    key = key_of(context, "restoreRight", sent)
    try:
        place = ids.decode_as("Operation", sent["operation"], 2)
    except NotFound as refusal:
        raise refusal.at("operation") from None
    row = await operations.require(context, *place)
    if context.own_merchant_id not in (None, row.merchant_id):
        raise NotAllowed(reason="it happened at another merchant", path=("operation",))
    return await take_back(context, row, sent, key)


async def take_back(context: Context, row: OperationRow, sent: Sent, key: Key) -> Posted:
    """Undo what was done to a right; a grant, while all of it is left. Raises a Refusal, or Overloaded."""
    for part in ("lines", "amount", "points"):
        if sent.get(part) is not None:
            raise InvalidInput(reason="what was done to a right is undone whole", path=(part,))
    if sent.get("merchantAtFault"):
        raise InvalidInput(reason="only points that were spent come back", path=("merchantAtFault",))
    place = (row.holder_id, row.id)
    async with context.runtime.database.reader() as session:
        right = (await queries.of_operations(session, [place])).get(place)
    if right is None:
        raise NotFound(what="right", path=("operation",))
    merchant = context.runtime.catalogue.merchants_by_id[row.merchant_id]
    call = _call(context, "", merchant, sent, key)
    reason = sent.get("reason")
    if row.kind == OperationKind.RIGHT_GRANT:
        return await context.runtime.engine.post(cancel_request(call, right, reason=reason, reverses=row.id))
    return await context.runtime.engine.post(restore_request(call, right, row.id, reason=reason))


async def _named(context: Context, sent: Sent) -> tuple[Right, bytes | None]:
    """The right that a RightRef names; with a code, also what is kept of that. Raises RightNotFound."""
    if sent.get("id") is not None:
        return await _by_id(context, sent["id"]), None
    hashed = codes(context).hashed(sent["code"])
    async with context.runtime.database.reader() as session:
        place = (await queries.by_codes(session, [hashed])).get(hashed)
        found = None if place is None else (await queries.by_ids(session, [place])).get(place)
    if found is None or not sees_holder(context.signed_in, found.holder_id):
        raise RightNotFound(path=("right",))
    return found, hashed


async def _by_id(context: Context, global_id: str) -> Right:
    try:
        found = await by_global_id(context, global_id)
    except NotFound:
        found = None
    if found is None:
        raise RightNotFound(path=("right",))
    return found


async def _booking(context: Context, global_id: str) -> RightBooking:
    """A booking in reach. Raises NotFound."""
    try:
        place = ids.decode_as("RightBooking", global_id, 2)
    except NotFound as refusal:
        raise refusal.at("booking") from None
    found = await booking(context, (place[0], place[1]))
    if found is None or not sees_holder(context.signed_in, found.holder_id):
        raise NotFound(what="booking", path=("booking",))
    return found


async def booking(context: Context, place: Place) -> RightBooking | None:
    """A booking by (holder, id)."""
    async with context.runtime.database.reader() as session:
        return await queries.booking(session, place)


async def by_global_id(context: Context, global_id: str) -> Right | None:
    """The right of a global id, if it is in reach. Raises NotFound for an id of something else."""
    holder_id, right_id = ids.decode_as("Right", global_id, 2)
    return await load(context, holder_id, right_id)


async def load(context: Context, holder_id: UUID, right_id: UUID) -> Right | None:
    """A right in reach, or None."""

    async def read(session: AsyncSession, places: list[Place]) -> list[Right | None]:
        now = await survivors(session, [holder_id for holder_id, _ in places])
        near = [place for place in places if sees_holder(context.signed_in, now.get(place[0], place[0]))]
        if near and (merchant_id := members_of(context.signed_in)) is not None:
            near = list(await queries.seen_by(session, near, merchant_id))
        found = await queries.by_ids(session, near) if near else {}
        return [found.get(place) for place in places]

    return await context.loaders.one_of("rights", read).load((holder_id, right_id))


async def moves(context: Context, right: Right) -> list[MoveRow]:
    """What was done to a right; a merchant that did not grant it is told what it did itself."""

    async def read(session: AsyncSession, places: list[Place]) -> list[list[MoveRow]]:
        found = await queries.moves(session, places)
        return [found[place] for place in places]

    rows = await context.loaders.one_of("right moves", read).load((right.holder_id, right.id))
    return [row for row in rows if _own(context, right, row.merchant_id)]


async def bookings(context: Context, right: Right) -> list[RightBooking]:
    """The bookings of a right, as `moves`."""

    async def read(session: AsyncSession, places: list[Place]) -> list[list[RightBooking]]:
        found = await queries.bookings(session, places)
        return [found[place] for place in places]

    rows = await context.loaders.one_of("right bookings", read).load((right.holder_id, right.id))
    return [row for row in rows if _own(context, right, row.merchant_id)]


def usable_at(context: Context, right: Right) -> list[Merchant]:
    """Where it is used; a merchant that did not grant it is told of itself alone."""
    merchants = context.runtime.catalogue.merchants_by_id
    found = [merchants[id_] for id_ in map(UUID, right.at) if id_ in merchants]
    return [merchant for merchant in found if _own(context, right, merchant.id)]


def _own(context: Context, right: Right, merchant_id: UUID) -> bool:
    return context.own_merchant_id in (None, right.grantor_id, merchant_id)


def code_of(context: Context, right: Right) -> str | None:
    """Its code, for its member and its grantor, while anything is left of it."""
    viewer = context.signed_in
    shown = viewer.member_id == right.holder_id if viewer.kind == "member" else viewer.merchant_id == right.grantor_id
    return codes(context).of(right.id) if shown and right.remaining else None


async def of_member(
    context: Context,
    holder_id: UUID,
    asked: Window,
    kind: str | None = None,
    grantors: Sequence[str] | None = None,
    statuses: Sequence[RightStatus] | None = None,
) -> Page[Right]:
    """A page of a member's rights, newest first; a merchant sees those it granted, and those booked or used there."""
    merchants = context.runtime.catalogue.merchants
    wanted = tuple(sorted(merchants[code].id for code in grantors or () if code in merchants))
    if grantors and not wanted:
        wanted = (UUID(int=0),)
    shown = tuple(sorted({status.value for status in statuses or ()}))
    which = (context.as_of, kind or "", wanted, shown, members_of(context.signed_in))
    return await _pages(context, which, asked).load(holder_id)


async def report(context: Context, day: date, merchant: str | None) -> list[RightsLine]:
    """What became of rights on a day of the alliance's; a merchant sees what it granted, and what was used at its own.

    Raises NotFound.
    """
    catalogue = context.runtime.catalogue
    named = None if merchant is None else catalogue.merchants.get(merchant)
    own = context.own_merchant_id
    if (merchant is not None and named is None) or (named is not None and own not in (None, named.id)):
        raise NotFound(what="merchant", path=("merchant",))
    party_id = own if named is None else named.id
    async with context.runtime.database.reader() as session:
        return await lines(session, *day_bounds(day, catalogue.alliance), party_id)


_Which = tuple[datetime, str, tuple[UUID, ...], tuple[str, ...], UUID | None]


def _pages(context: Context, which: _Which, asked: Window) -> DataLoader[UUID, Page[Right]]:
    async def load(session: AsyncSession, holders: list[UUID]) -> list[Page[Right]]:
        keys = [RightsKey(holder_id, *which) for holder_id in holders]
        found = await queries.page(
            session,
            keys,
            asked.size + 1,
            older_than=None if asked.after is None else asked.after[0],
            newer_than=None if asked.before is None else asked.before[0],
            backward=asked.backward,
        )
        counts = _counts(context, which)
        return [page(asked, found[key], lambda right: (right.id,), later(counts, key.holder_id)) for key in keys]

    return context.loaders.one_of(("rights of", which, asked), load)


def _counts(context: Context, which: _Which) -> DataLoader[UUID, int]:
    async def load(session: AsyncSession, holders: list[UUID]) -> list[int]:
        keys = [RightsKey(holder_id, *which) for holder_id in holders]
        found = await queries.counts(session, keys)
        return [found[key] for key in keys]

    return context.loaders.one_of(("right counts", which), load)
