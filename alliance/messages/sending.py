"""Messages whose time has come are sent, and what became of each is kept with it.

Who dies between sending and keeping sends again: the provider sees the same id, by which it, or the member's mail
program, knows a message that came twice.
"""

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from jinja2 import TemplateError
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.messages.planning import Happening, plan, tell
from alliance.messages.reach import People, people
from alliance.messages.words import gaps
from domain.contacts.model import ContactChannel
from domain.messages.commands import Became, keep, send_at
from domain.messages.model import Message, MessageKind, MessageState
from domain.messages.port import Notifiers, Outgoing, Sent, Unsent
from domain.messages.queries import Key, by_ids, channels_used
from domain.messages.texts import Chosen, choose, fill
from domain.notices.model import Outcome
from domain.programs.catalogue import Catalogue

ENDED = frozenset({MessageState.DELIVERED, MessageState.LOGGED, MessageState.SKIPPED})


class NotSent(Exception):
    """A message was not taken, and may be the next time. Says why by a code."""


@dataclass(frozen=True, slots=True)
class _Ready:
    message: Message
    outgoing: Outgoing
    text: Chosen


async def deliver(
    session: AsyncSession,
    catalogue: Catalogue,
    notifiers: Notifiers,
    asked: Mapping[Key, bool],
    now: datetime,
) -> tuple[dict[Key, Exception], list[Became]]:
    """Send the messages (holder, id) that are not sent yet; `asked` says of each whether this is its last attempt.

    The errors of those that are to be tried again, and what became of all. What cannot be delivered on a channel goes
    by the next one, and a notice that none is left for is reported so (L2). What quiet hours keep waits for their end.
    """
    messages = [one for one in (await by_ids(session, list(asked))).values() if one.state not in ENDED]
    who = await people(session, catalogue, [one.holder_id for one in messages])
    became: list[Became] = []
    ready: list[_Ready] = []
    for message in messages:
        prepared = _prepared(catalogue, who, message, now)
        (ready if isinstance(prepared, _Ready) else became).append(prepared)  # type: ignore[arg-type]
    became += await _sent(notifiers, ready, now)
    await keep(session, [_ended(one, asked) for one in became])
    await _report(session, catalogue, became, asked, now)
    waiting = [one for one in became if one.state is MessageState.WAITING]
    again = [(one.message.holder_id, one.message.id, one.due_at) for one in waiting if one.due_at is not None]
    await send_at(session, again)
    errors: dict[Key, Exception] = {
        (one.message.holder_id, one.message.id): NotSent(one.why) for one in waiting if one.due_at is None
    }
    return errors, became


def _prepared(catalogue: Catalogue, who: People, message: Message, now: datetime) -> _Ready | Became:
    """The message as it is to be sent, or why it is not."""
    merchant = catalogue.merchants_by_id[message.merchant_id]
    terms, holder_id = merchant.notifications, message.holder_id
    if terms is None:
        return Became(message, MessageState.SKIPPED, now, why="SWITCHED_OFF")
    due_at = who.release(holder_id, merchant, terms, now)
    if due_at > now:
        return Became(message, MessageState.WAITING, now, due_at=due_at)
    if message.notice_id is None and not who.allows(holder_id, merchant, message.channel, message.purpose):
        return Became(message, MessageState.SKIPPED, now, why="NO_CONSENT")
    since = message.data.get("since")
    before = None if since is None else datetime.fromisoformat(since)
    address = who.address(holder_id, merchant, message.channel, before)
    if address is None:
        return Became(message, MessageState.FAILED, now, why="NO_ADDRESS")
    channel, kind, person = ContactChannel(message.channel), MessageKind(message.kind), who.persons[holder_id]
    text = choose(terms, kind, channel, person.language)
    try:
        parts = fill(text, gaps(catalogue, merchant, kind, message.data, person, text.language))
    except TemplateError:
        return Became(message, MessageState.WAITING, now, why="TEMPLATE", text=text)
    outgoing = Outgoing(
        id=message.id,
        channel=channel,
        to=address,
        sender=terms.sender or merchant.name,
        language=text.language,
        subject=parts.get("subject", ""),
        text=parts.get("text") or parts.get("sms", ""),
        html=parts.get("html", ""),
    )
    return _Ready(message, outgoing, text)


async def _sent(notifiers: Notifiers, ready: Sequence[_Ready], now: datetime) -> list[Became]:
    """Each channel by itself, at the same time."""
    by_channel: defaultdict[ContactChannel, list[_Ready]] = defaultdict(list)
    for one in ready:
        by_channel[one.outgoing.channel].append(one)
    answers = await asyncio.gather(
        *(notifiers[channel].send([one.outgoing for one in some]) for channel, some in by_channel.items())
    )
    together = [one for some in by_channel.values() for one in some]
    return [
        _became(one, result, now)
        for one, result in zip(together, (result for some in answers for result in some), strict=True)
    ]


def _became(one: _Ready, result: Sent | Unsent, now: datetime) -> Became:
    if isinstance(result, Sent):
        state = MessageState.DELIVERED if result.delivered else MessageState.LOGGED
        return Became(one.message, state, now, proof=result.proof, text=one.text)
    state = MessageState.FAILED if result.final else MessageState.WAITING
    return Became(one.message, state, now, why=result.why, text=one.text)


def _ended(one: Became, asked: Mapping[Key, bool]) -> Became:
    """As it is kept: what is out of attempts has failed, until somebody retries its job."""
    out = one.state is MessageState.WAITING and one.due_at is None and asked[one.message.holder_id, one.message.id]
    return Became(one.message, MessageState.FAILED, one.at, None, None, one.why, one.text) if out else one


async def _report(
    session: AsyncSession, catalogue: Catalogue, became: Sequence[Became], asked: Mapping[Key, bool], now: datetime
) -> None:
    """To the notices that messages are of; and what ended here goes by the next channel."""
    onwards = []
    for one in became:
        message = one.message
        if message.notice_id is not None and one.state is MessageState.DELIVERED:
            told = (message.channel, one.proof)
            await tell(session, message.holder_id, message.notice_id, Outcome.DELIVERED, now, *told)
        elif message.notice_id is not None and _ended(one, asked).state is MessageState.FAILED:
            failed = (message.channel, None)
            await tell(session, message.holder_id, message.notice_id, Outcome.FAILED, now, *failed)
        if one.state is MessageState.FAILED or one.why == "NO_CONSENT":
            onwards.append(_again(message))
    if onwards:
        tried = await channels_used(session, [(one.holder_id, one.source) for one in onwards])
        await plan(session, catalogue, onwards, now, tried)


def _again(message: Message) -> Happening:
    since = message.data.get("since")
    data = {name: value for name, value in message.data.items() if name != "since"}
    return Happening(
        holder_id=message.holder_id,
        merchant_id=message.merchant_id,
        kind=MessageKind(message.kind),
        source=message.source,
        data=data,
        notice=message.notice_id,
        since=None if since is None else datetime.fromisoformat(since),
    )
