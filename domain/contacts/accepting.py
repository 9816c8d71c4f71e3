"""That members accepted terms, in which version and language (L3). Rows are only added, and hold no personal data."""

import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import ARRAY, Uuid, any_, cast, func, insert, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from domain.base import Base, new_id
from domain.errors import InvalidInput, NotFound
from domain.events.commands import add_events
from domain.events.kinds import EventKind
from domain.events.model import NewEvent
from domain.ledger.aliases import absorbed
from domain.programs.accepting import TermsVersion
from domain.programs.catalogue import Catalogue, Merchant


class TermsAcceptance(Base):
    """That a member accepted a version of terms, as they read in a language, at a merchant's and on a channel."""

    __tablename__ = "terms_acceptance"

    holder_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    terms: Mapped[str]
    version: Mapped[int]
    language: Mapped[str]
    merchant_id: Mapped[uuid.UUID]
    channel: Mapped[str | None]
    happened_at: Mapped[datetime]
    client_id: Mapped[uuid.UUID | None]
    booked_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


CHECKS = {
    "a version of terms that was accepted is published": """
        SELECT a.holder_id, a.terms AS kind, '-' AS currency, a.version AS kept, 0 AS proved
        FROM terms_acceptance a
        LEFT JOIN member_terms t ON t.part = 'terms' AND t.code = a.terms || '/' || a.version
        WHERE t.definition -> 'texts' -> a.language IS NULL""",
}
"""For the proof of the books; see `domain.ledger.checks`."""


@dataclass(frozen=True, slots=True)
class NewAcceptance:
    """What a member accepts; see `TermsAcceptance`."""

    holder_id: uuid.UUID
    terms: str
    version: int
    language: str
    merchant_id: uuid.UUID
    channel: str | None
    happened_at: datetime
    client_id: uuid.UUID | None


def published(catalogue: Catalogue, merchant: Merchant, code: str, version: int, language: str) -> TermsVersion:
    """The version that a member accepts at a merchant: one of the merchant's terms, or of the alliance's.

    One that is announced may be accepted before it starts. Raises NotFound; InvalidInput for a language it is not in.
    """
    found = next((one for one in catalogue.members.terms.get(code, ()) if one.version == version), None)
    if found is None or found.merchant not in (None, merchant.code):
        raise NotFound(what=f"version {version} of terms {code[:40]!r}", path=("terms",))
    if language not in found.texts:
        raise InvalidInput(reason=f"these terms are in {', '.join(sorted(found.texts))}", path=("language",))
    return found


async def accept(session: AsyncSession, acceptances: Sequence[NewAcceptance]) -> None:
    """Keep what members accepted; each was found by `published`. The merchants are told."""
    if not acceptances:
        return
    await session.execute(insert(TermsAcceptance), [asdict(one) | {"id": new_id()} for one in acceptances])
    events = []
    for one in acceptances:
        data = {"merchant": str(one.merchant_id), "terms": one.terms, "version": one.version, "language": one.language}
        events.append(NewEvent(one.holder_id, EventKind.TERMS_ACCEPTED, data, (one.merchant_id,)))
    await add_events(session, events)


async def acceptances(session: AsyncSession, holders: Sequence[uuid.UUID]) -> dict[uuid.UUID, list[TermsAcceptance]]:
    """All that these members accepted, newest first; who was merged into a member is the same person."""
    former = await absorbed(session, holders)
    whose = {one: id_ for id_ in holders for one in (id_, *former[id_])}
    found: dict[uuid.UUID, list[TermsAcceptance]] = {id_: [] for id_ in holders}
    wanted = select(TermsAcceptance).where(TermsAcceptance.holder_id == any_(cast(list(whose), ARRAY(Uuid()))))
    for row in await session.scalars(wanted.order_by(TermsAcceptance.id.desc())):
        found[whose[row.holder_id]].append(row)
    return found
