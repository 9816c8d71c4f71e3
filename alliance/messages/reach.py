"""How a member can be written to by a merchant: addresses, consents, the hour."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.contacts import queries as contacts
from domain.contacts.model import ContactChannel, ContactPreference, Purpose
from domain.contacts.queries import Standing
from domain.members.model import Identifier, MemberStatus
from domain.members.queries import by_ids, identifiers
from domain.messages.model import MessageKind
from domain.pools.model import PoolMember
from domain.programs.catalogue import Catalogue, Merchant
from domain.programs.notifying import NotificationTerms

SPELLINGS = {ContactChannel.EMAIL: "email", ContactChannel.SMS: "e164"}
"""By channel, how identifiers are normalised that are addresses of it."""


@dataclass(frozen=True, slots=True)
class Person:
    """Who is written to about a holder: the member themselves, or a pool's owner."""

    id: UUID
    number: str
    known_by: Sequence[Identifier]
    preference: ContactPreference | None

    @property
    def language(self) -> str | None:
        """As they said; None if they did not."""
        return None if self.preference is None else self.preference.language


@dataclass(frozen=True, slots=True)
class People:
    """Those of some holders who can be written to at all, by holder, and what they consented to."""

    catalogue: Catalogue
    persons: dict[UUID, Person]
    consents: Standing

    def address(self, holder_id: UUID, merchant: Merchant, channel: str, before: datetime | None = None) -> str | None:
        """The newest identifier that is an address of the channel, good since `before`, and that no other merchant gave
        out. What has to be verified is good once it was."""
        person = self.persons.get(holder_id)
        if person is None:
            return None
        spelling = SPELLINGS[ContactChannel(channel)]
        types = {one.type: one for one in self.catalogue.identifier_types.values() if one.normalise == spelling}
        others = self.catalogue.merchants.keys() - {merchant.code}
        fits = [
            row.value
            for row in person.known_by
            if row.type in types
            and row.issuer not in others
            and (since := row.linked_at if types[row.type].verify is None else row.verified_at) is not None
            and (before is None or since < before)
        ]
        return fits[-1] if fits else None

    def allows(self, holder_id: UUID, merchant: Merchant, channel: str, purpose: str) -> bool:
        """Whether a member lets the merchant write so: service unless they said no, marketing only if they said yes."""
        person = self.persons.get(holder_id)
        said = person and self.consents.get((person.id, merchant.id, purpose, channel))
        return purpose == Purpose.SERVICE if said is None else bool(said)

    def zone(self, holder_id: UUID, merchant: Merchant, terms: NotificationTerms) -> ZoneInfo:
        """By whose clock it is day or night."""
        person = self.persons.get(holder_id)
        theirs = person and person.preference and person.preference.timezone
        by_member = terms.quiet is not None and terms.quiet.by_member
        return ZoneInfo(theirs) if theirs and by_member else merchant.timezone

    def release(self, holder_id: UUID, merchant: Merchant, terms: NotificationTerms, moment: datetime) -> datetime:
        """When a message of that moment may be sent."""
        return terms.quiet.release(moment, self.zone(holder_id, merchant, terms)) if terms.quiet else moment

    def channel(
        self,
        holder_id: UUID,
        merchant: Merchant,
        kind: MessageKind,
        *,
        required: bool,
        without: Collection[str] = (),
        before: datetime | None = None,
    ) -> str | None:
        """The first of the merchant's channels, but for those `without`, that reaches a member; None if none does.

        What the law requires a member to be told (L2) goes whatever they said.
        """
        terms = merchant.notifications
        assert terms is not None
        purpose = purpose_of(terms, kind, required=required)
        left = [one for one in terms.channels if one not in without]
        left = [one for one in left if self.address(holder_id, merchant, one, before) is not None]
        wanted = [one for one in left if self.allows(holder_id, merchant, one, purpose)]
        return next(iter([*wanted, *left] if required else wanted), None)


def purpose_of(terms: NotificationTerms, kind: MessageKind, *, required: bool) -> str:
    """For what a message of that kind is: what is required is a service."""
    return Purpose.MARKETING if kind in terms.marketing and not required else Purpose.SERVICE


async def people(session: AsyncSession, catalogue: Catalogue, holders: Iterable[UUID]) -> People:
    """Who is written to about these holders. Members who have closed are left out."""
    asked = list(dict.fromkeys(holders))
    owns = (PoolMember.role == "OWNER", PoolMember.left_at.is_(None), PoolMember.holder_id.in_(asked))
    owners = dict((await session.execute(select(PoolMember.holder_id, PoolMember.member_id).where(*owns))).all())
    who = {holder_id: owners.get(holder_id, holder_id) for holder_id in asked}
    ids = list(set(who.values()))
    members = await by_ids(session, ids)
    known_by = await identifiers(session, ids)
    preferences = await contacts.preferences(session, ids)
    persons = {
        holder_id: Person(id_, members[id_].number, known_by[id_], preferences.get(id_))
        for holder_id, id_ in who.items()
        if id_ in members and members[id_].status != MemberStatus.CLOSED
    }
    return People(catalogue, persons, await contacts.standing(session, ids))
