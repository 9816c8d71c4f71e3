"""Events as those are told who may know of them: ids as clients know them, merchants by their codes (A14)."""

from collections.abc import Callable, Collection
from typing import Any
from uuid import UUID

from alliance.feed import queries
from alliance.feed.kinds import AT_ITS_TILL, DATA, Is
from alliance.feed.model import Happened
from alliance.feed.queries import Found
from domain.errors import InvalidInput, NotFound
from domain.events.kinds import EventKind
from domain.money import unscaled
from domain.programs.catalogue import Catalogue
from resolvers import ids
from resolvers.context import Context
from resolvers.pages import Window

__all__ = ["EVENT_SHAPE", "Happened", "global_id", "listed", "place", "subject", "told"]

MOST_PLACE = 2**62


def place(text: str) -> int:
    """A place in a cursor. Raises ValueError."""
    number = int(text)
    if not -1 <= number < MOST_PLACE:
        raise ValueError("out of range")
    return number


EVENT_SHAPE = (place,)


async def listed(context: Context, asked: Window, kinds: Collection[EventKind], member: str | None) -> Found:
    """A page of the sequence as far as it is the viewer's. Raises InvalidInput for last or before, NotFound."""
    if asked.backward or asked.before is not None:
        raise InvalidInput(reason="events are listed forwards: give first and after", path=("last",))
    after = -1 if asked.after is None else asked.after[0]
    catalogue, own = context.runtime.catalogue, context.own_merchant_id
    if member is None:
        async with context.runtime.database.reader() as session:
            return await queries.after(session, catalogue, after, asked.size, merchant_id=own, kinds=kinds)
    (member_id,) = ids.decode_as("Member", member, 1)
    if await context.loaders.members.load(member_id) is None:
        raise NotFound(what="member", path=("member",))
    async with context.runtime.database.reader() as session:
        return await queries.after_of(
            session, catalogue, after, asked.size, member_id=member_id, merchant_id=own, kinds=kinds
        )


def global_id(one: Happened) -> str:
    """The id of an event, the same for everybody and for ever."""
    return ids.encode("Event", one.id)


def told(catalogue: Catalogue, one: Happened, merchant_id: UUID | None) -> dict[str, Any]:
    """The data of an event for a merchant; None is the operator. What is null is left out."""
    fields = DATA[EventKind(one.kind)] if one.kind in EventKind.__members__ else {}
    foreign = merchant_id is not None and one.till not in (None, merchant_id)
    unknown = merchant_id is not None and one.grantor not in (None, merchant_id)
    data: dict[str, Any] = {}
    for name, what in fields.items():
        kept = one.data.get(name)
        if kept is None or (foreign and name in AT_ITS_TILL) or (name == "member" and unknown):
            continue
        if what is Is.CHANGES:
            data[name] = [
                {"currency": code, "points": points}
                for code, points in kept.items()
                if not foreign or catalogue.currencies[code].merchant_id == merchant_id
            ]
        elif what is Is.MERCHANT:
            if (code := _code(catalogue, kept)) is not None:
                data[name] = code
        elif what is Is.MERCHANTS:
            data[name] = [_code(catalogue, party) for party in kept]
        else:
            data[name] = _WRITTEN[what](kept) if what in _WRITTEN else kept
    return data


def subject(one: Happened, data: dict[str, Any]) -> str | None:
    """What an event is about: the member, else the pool or whatever comes first in its data."""
    return next((data[name] for name in _SUBJECTS if name in data), None)


_SUBJECTS = ("member", "pool", "agreement", "cycle", "claim", "merchant", "webhook")


def _code(catalogue: Catalogue, merchant_id: str) -> str | None:
    """A merchant's code; the operator has none."""
    merchant = catalogue.merchants_by_id.get(UUID(merchant_id))
    return None if merchant is None else merchant.code


def _id(kind: str) -> Callable[[str], str]:
    def encoded(kept: str) -> str:
        return ids.encode(kind, *(UUID(part) for part in kept.split()))

    return encoded


_WRITTEN: dict[Is, Callable[[Any], Any]] = {
    Is.MEMBER: _id("Member"),
    Is.POOL: _id("Pool"),
    Is.OPERATION: _id("Operation"),
    Is.RIGHT: _id("Right"),
    Is.NOTICE: _id("Notice"),
    Is.AGREEMENT: _id("Agreement"),
    Is.CYCLE: _id("SettlementCycle"),
    Is.CLAIM: _id("Claim"),
    Is.WEBHOOK: _id("Webhook"),
    Is.APPROVAL: _id("Approval"),
    Is.BREAK: _id("Break"),
    Is.DEFAULT: _id("MerchantDefault"),
    Is.FILE: _id("PartnerFile"),
    Is.MONEY: lambda millionths: unscaled(int(millionths), 6),
}
