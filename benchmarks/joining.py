"""The conventional way to enrol a member: an ORM transaction a call, row by row, on the same tables.

It is not careless: a pool of 16 connections, the same look-ups, numbers, sealed values, idempotency keys and events,
and a commit that waits for the disk, as ours does.
"""

import hmac
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from benchmarks.serving import WHO
from domain.base import new_id
from domain.database import Database
from domain.events.kinds import EventKind
from domain.events.model import Event
from domain.ledger.model import IdempotencyKey
from domain.members.model import IdentifierOwner, Member, MemberIdentifier, MemberNumber, Membership
from domain.members.rules import IdentifierKey, member_number
from domain.members.sealing import hashed, sealed_column
from domain.privacy.keys import KeyProvider
from domain.programs.catalogue import Catalogue


class Desk:
    """Enrols at the grocer, by card and telephone."""

    def __init__(self, database_url: str, keys: KeyProvider, catalogue: Catalogue) -> None:
        self._database = Database(database_url, pool_size=16, keys=keys)
        self._merchant = catalogue.merchants["grocer"]

    async def enrol(self, key: str, card: str, phone: str, as_of: datetime) -> None:
        """Find or create the member, and have them join."""
        fingerprint = hmac.digest(b"secret", f"{card} {phone}".encode(), "sha256")[:16]
        named = [("CARD", "grocer", card), ("PHONE", "", phone)]
        async with self._database.transaction() as session:
            if await session.get(IdempotencyKey, (WHO, WHO, key)) is not None:
                return
            owners = [await session.get(IdentifierOwner, (*one[:2], hashed(session, one))) for one in named]
            owner = next((one for one in owners if one is not None), None)
            known = None if owner is None else await session.get_one(Member, owner.holder_id)
            member = known or await self._new(session, as_of)
            for one, found in zip(named, owners, strict=True):
                if found is None:
                    await self._link(session, member, one, as_of)
            if await session.get(Membership, (member.id, self._merchant.id)) is None:
                membership = Membership(holder_id=member.id, merchant_id=self._merchant.id, number=member.number)
                membership.joined_at, membership.channel = as_of, "APP"
                joined = {"merchant": str(self._merchant.id)}
                event = Event(id=new_id(), holder_id=member.id, kind=EventKind.MEMBER_JOINED, data=joined)
                event.seen_by = [str(self._merchant.id)]
                session.add_all([membership, event])
            outcome = {"member": str(member.id), "number": member.number}
            session.add(
                IdempotencyKey(
                    client_id=WHO, subject=WHO, key=key, fingerprint=fingerprint, holder_id=WHO, outcome=outcome
                )
            )

    async def _new(self, session: AsyncSession, as_of: datetime) -> Member:
        numbered = MemberNumber(holder_id=new_id())
        session.add(numbered)
        await session.flush()
        number = member_number(numbered.serial)
        member = Member(id=numbered.holder_id, number=number, status="ACTIVE", joined_at=as_of)
        session.add(member)
        return member

    async def _link(self, session: AsyncSession, member: Member, key: IdentifierKey, as_of: datetime) -> None:
        row = {"type": key[0], "issuer": key[1], "value": hashed(session, key), "holder_id": member.id}
        [sealed] = await sealed_column(session, [(member.id, key)])
        session.add(IdentifierOwner(**row))
        session.add(MemberIdentifier(**row, sealed=sealed, linked_at=as_of, verified_at=as_of))

    async def close(self) -> None:
        """Close the pool."""
        await self._database.close()
