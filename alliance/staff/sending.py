"""Mails to staff are sent, and what became of each is kept with it.

Who dies between sending and keeping sends again, as the same message: see alliance.messages.sending.
"""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.messages.sending import NotSent
from alliance.staff.commands import Became, contacts, keep
from alliance.staff.model import MailState, StaffMail
from alliance.staff.words import written
from domain.contacts.model import ContactChannel
from domain.messages.port import Notifier, Outgoing, Sent, Unsent
from domain.programs.catalogue import Catalogue

ENDED = frozenset({MailState.SENT, MailState.LOGGED, MailState.SKIPPED})


async def deliver(
    session: AsyncSession, catalogue: Catalogue, notifier: Notifier, asked: Mapping[UUID, bool], now: datetime
) -> tuple[dict[UUID, Exception], list[Became]]:
    """Send the mails that are not sent yet; `asked` says of each whether this is its last attempt.

    The errors of those that are to be tried again, and what became of all.
    """
    query = select(StaffMail).where(StaffMail.id.in_(list(asked)), StaffMail.state.not_in(ENDED)).order_by(StaffMail.id)
    mails = (await session.scalars(query)).all()
    outgoing = {mail.id: _outgoing(catalogue, mail) for mail in mails}
    sent = {id_: one for id_, one in outgoing.items() if one is not None}
    results = await notifier.send(list(sent.values())) if sent else ()
    became = [Became(id_, MailState.SKIPPED, why="NO_CONTACT") for id_, one in outgoing.items() if one is None]
    errors: dict[UUID, Exception] = {}
    for id_, result in zip(sent, results, strict=True):
        became.append(_became(id_, result, last=asked[id_]))
        if isinstance(result, Unsent) and not result.final:
            errors[id_] = NotSent(result.why)
    await keep(session, became, now)
    return errors, became


def _outgoing(catalogue: Catalogue, mail: StaffMail) -> Outgoing | None:
    """As it is sent; None where the contact is not named any more."""
    contact = next((one for one in contacts(catalogue, mail.party_id) if one.key == mail.contact), None)
    if contact is None:
        return None
    subject, text = written(catalogue, mail, contact.language)
    return Outgoing(
        id=mail.id,
        channel=ContactChannel.EMAIL,
        to=contact.email,
        sender=catalogue.alliance.name,
        language=contact.language,
        subject=subject,
        text=text,
    )


def _became(id_: UUID, result: Sent | Unsent, *, last: bool) -> Became:
    if isinstance(result, Sent):
        return Became(id_, MailState.SENT if result.delivered else MailState.LOGGED, proof=result.proof)
    return Became(id_, MailState.FAILED if result.final or last else MailState.WAITING, why=result.why)
