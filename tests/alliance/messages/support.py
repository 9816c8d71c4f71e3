"""A grocer that writes to its members, and providers that keep what they are given."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import delete, insert, select, update

from domain.contacts.commands import record, set_preference
from domain.contacts.model import ContactChannel, NewConsent, Purpose
from domain.events.model import HeldJob, Job
from domain.members.model import IdentifierOwner, MemberIdentifier
from domain.members.sealing import hashed, sealed_column
from domain.messages.model import Message, MessageKind
from domain.messages.port import Outgoing, Sent, Unsent
from domain.programs.notifying import NotificationTerms
from tests.alliance.jobs import work_off
from tests.alliance.support import House
from workers.actors.messages import notify, send

ANN = {"EMAIL": "ann@example.com", "PHONE": "+16145550100"}


@dataclass
class Provider:
    """Takes messages, but those to an address for which `answers` says otherwise. `dies`: before it can say so."""

    sent: list[Outgoing] = field(default_factory=list)
    answers: dict[str, Sent | Unsent] = field(default_factory=dict)
    dies: bool = False

    async def send(self, messages: Sequence[Outgoing]) -> Sequence[Sent | Unsent]:
        """As it comes."""
        self.sent += messages
        if self.dies:
            raise RuntimeError("killed")
        return [self.answers.get(one.to, Sent(f"taken {one.id}")) for one in messages]


@dataclass
class Post:
    """The house with providers, at a moment of its own."""

    house: House
    now: datetime
    provider: Provider = field(default_factory=Provider)

    async def make(self) -> int:
        """Make messages of the notices that came due."""
        return await work_off(self.house, "notify", notify(lambda: self.now))

    async def deliver(self, attempt: int = 1) -> dict[uuid.UUID, Exception]:
        """Do the jobs of messages that are due, as a worker does; what failed, by the message's id."""
        database = self.house.runtime.database
        act = send(dict.fromkeys(ContactChannel, self.provider), lambda: self.now)
        async with database.session() as session:
            due = select(Job).where(Job.actor == "send", Job.available_at <= self.now).order_by(Job.id)
            jobs = (await session.scalars(due)).all()
        async with database.transaction() as session:
            errors = await act(self.house.runtime, session, [HeldJob(job.id, job.args, attempt) for job in jobs])
            done = [job.id for job in jobs if job.id not in errors]
            await session.execute(delete(Job).where(Job.id.in_(done)))
            later = update(Job).where(Job.id.in_(list(errors))).values(available_at=self.now)
            await session.execute(later)
        return {uuid.UUID(job.args["message"]): errors[job.id] for job in jobs if job.id in errors}

    @property
    def texts(self) -> list[str]:
        """What was sent to whom."""
        return [f"{one.to}: {one.text}" for one in self.provider.sent]


def switch_on(house: House, *channels: str, code: str = "grocer", **terms: Any) -> None:
    """The merchant writes by these channels, of everything."""
    made = NotificationTerms(channels or ("EMAIL", "SMS"), frozenset(MessageKind), **terms)
    catalogue = house.runtime.catalogue
    merchant = replace(catalogue.merchants[code], notifications=made)
    house.runtime.catalogue = replace(
        catalogue,
        merchants={**catalogue.merchants, code: merchant},
        merchants_by_id={**catalogue.merchants_by_id, merchant.id: merchant},
    )


async def known(house: House, member: uuid.UUID, **values: str) -> uuid.UUID:
    """The member is known by these (type=value), from 2017 on; they were verified."""
    linked_at = datetime(2017, 1, 1, tzinfo=UTC)
    keys = [(type_, "", value) for type_, value in values.items()]
    async with house.runtime.database.transaction() as session:
        sealed = await sealed_column(session, [(member, key) for key in keys])
        rows = [
            {"holder_id": member, "type": key[0], "issuer": "", "value": hashed(session, key), "linked_at": linked_at}
            | {"sealed": one, "verified_at": linked_at}
            for key, one in zip(keys, sealed, strict=True)
        ]
        await session.execute(insert(MemberIdentifier), rows)
        names = ("type", "issuer", "value", "holder_id")
        await session.execute(insert(IdentifierOwner), [{name: row[name] for name in names} for row in rows])
    return member


async def say(house: House, member: uuid.UUID, channel: str, given: bool, purpose: str = "SERVICE") -> None:
    """The member gives or withdraws consent to the grocer."""
    word = (Purpose(purpose), ContactChannel(channel), given, datetime(2017, 1, 1, tzinfo=UTC))
    async with house.runtime.database.transaction() as session:
        await record(session, [NewConsent(member, house.id("grocer"), *word)])


async def prefer(house: House, member: uuid.UUID, **preference: str) -> None:
    """The member says how they are written to."""
    async with house.runtime.database.transaction() as session:
        await set_preference(session, member, **preference)


async def messages(house: House) -> Sequence[Message]:
    """All that there are."""
    async with house.runtime.database.session() as session:
        return (await session.scalars(select(Message).order_by(Message.id))).all()
