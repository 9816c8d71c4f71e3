"""What members are to be told becomes messages: one of a source and channel, by the first channel that reaches them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from alliance.messages.reach import People, people, purpose_of
from domain.messages.commands import NewMessage, add_messages
from domain.messages.model import MessageKind
from domain.notices.commands import report
from domain.notices.model import Notice, NoticeKind, Outcome
from domain.programs.catalogue import Catalogue

KINDS = {NoticeKind.EXPIRY.value: MessageKind.POINTS_EXPIRING, NoticeKind.EXIT.value: MessageKind.POINTS_SOLD}


@dataclass(frozen=True, slots=True)
class Happening:
    """What a member is to be told. `source` is the same however often it is found.

    A `notice` is required by law, and what becomes of it is reported to it. `since` is when it happened, where it is
    told to an address that was there before.
    """

    holder_id: UUID
    merchant_id: UUID
    kind: MessageKind
    source: str
    data: dict[str, Any] = field(default_factory=dict)
    notice: UUID | None = None
    since: datetime | None = None


def source_of(notice: Notice) -> str:
    """What messages of a notice are about."""
    return f"notice:{notice.id}"


def of_notice(notice: Notice) -> Happening:
    """The message of a notice."""
    data = {"points": notice.points, "currency": notice.currency, "ends": notice.due_at.isoformat()}
    kind = KINDS[notice.kind]
    return Happening(notice.holder_id, notice.issuer_id, kind, source_of(notice), data, notice.id)


async def plan(
    session: AsyncSession,
    catalogue: Catalogue,
    happenings: Sequence[Happening],
    as_of: datetime,
    without: Mapping[tuple[UUID, str], set[str]] | None = None,
) -> int:
    """Add the messages that tell members of these, but for channels `without` which it was tried; how many.

    Where the merchant sends no messages, or none of the kind, nothing is added. A notice that reaches nobody is
    reported as NO_CHANNEL. As all of it, in the caller's transaction; doing it twice changes nothing.
    """
    wanted = [one for one in happenings if _is_sent(catalogue, one)]
    if not wanted:
        return 0
    who = await people(session, catalogue, [one.holder_id for one in wanted])
    messages = []
    for one in wanted:
        tried = (without or {}).get((one.holder_id, one.source), set())
        message = _message(catalogue, who, one, as_of, tried)
        if message is not None:
            messages.append(message)
        elif one.notice is not None:
            await tell(session, one.holder_id, one.notice, Outcome.NO_CHANNEL, as_of)
    return await add_messages(session, messages)


async def tell(
    session: AsyncSession,
    holder_id: UUID,
    notice_id: UUID,
    outcome: Outcome,
    as_of: datetime,
    channel: str | None = None,
    proof: str | None = None,
) -> None:
    """Report what became of a notice, as whoever sends notices does.

    Not before it opened: the clock of who sends it may be behind that of who made its message.
    """
    notice = await session.get_one(Notice, (holder_id, notice_id))
    at = max(as_of, notice.opens_at)
    place: dict[str, Any] = {"holder_id": holder_id, "notice_id": notice_id, "client_id": None}
    said: dict[str, Any] = {"outcome": outcome, "happened_at": at, "channel": channel, "proof": proof}
    await report(session, as_of=at, onwards=False, **place, **said)


def _is_sent(catalogue: Catalogue, happening: Happening) -> bool:
    terms = catalogue.merchants_by_id[happening.merchant_id].notifications
    return terms is not None and (happening.notice is not None or happening.kind in terms.kinds)


def _message(
    catalogue: Catalogue, who: People, happening: Happening, as_of: datetime, tried: set[str]
) -> NewMessage | None:
    merchant = catalogue.merchants_by_id[happening.merchant_id]
    terms, required = merchant.notifications, happening.notice is not None
    assert terms is not None
    channel = who.channel(
        happening.holder_id, merchant, happening.kind, required=required, without=tried, before=happening.since
    )
    if channel is None:
        return None
    since = {} if happening.since is None else {"since": happening.since.isoformat()}
    return NewMessage(
        holder_id=happening.holder_id,
        source=happening.source,
        channel=channel,
        kind=happening.kind.value,
        merchant_id=merchant.id,
        purpose=purpose_of(terms, happening.kind, required=required),
        data=happening.data | since,
        notice_id=happening.notice,
        due_at=who.release(happening.holder_id, merchant, terms, as_of),
    )
