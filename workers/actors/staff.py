"""Mails to staff: finding what they are told, and sending it."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from alliance.feed.model import Happened
from alliance.runtime import Runtime
from alliance.staff.reminders import remind_staff
from alliance.staff.sending import deliver
from alliance.staff.telling import Write, tell_staff
from domain.contacts.model import ContactChannel
from domain.events.commands import add_jobs
from domain.events.model import HeldJob, NewJob
from domain.messages.port import Notifiers
from domain.programs.catalogue import Catalogue
from workers import telemetry
from workers.actor import Work
from workers.actors.messages import PATIENCE, Clock


def as_kept(catalogue: Catalogue, one: Happened, merchant_id: UUID | None) -> Mapping[str, object]:
    """The data of an event where nobody says how it is written: for who only hands jobs out."""
    return one.data


def staff_tell(write: Write) -> Work:
    """The actor that adds the mails."""

    async def make(runtime: Runtime, session: AsyncSession, jobs: Sequence[HeldJob]) -> Mapping[UUID, Exception]:
        """Of what happened since the last time, and of deadlines; if there is more, another job goes on. Args: {as_of}.

        Needs no key: a contact has one mail of an event or deadline.
        """
        await runtime.refresh()
        for job in jobs:
            as_of = datetime.fromisoformat(job.args["as_of"])
            await remind_staff(session, runtime.catalogue, as_of)
            if await tell_staff(session, runtime.catalogue, write, as_of):
                await add_jobs(session, [NewJob("staff_tell", job.args, queue="bulk", dedupe="staff_tell on")])
        return {}

    return make


def _now() -> datetime:
    return datetime.now(UTC)


def staff_send(notifiers: Notifiers, clock: Clock = _now) -> Work:
    """The actor that sends the mails."""

    async def make(runtime: Runtime, session: AsyncSession, jobs: Sequence[HeldJob]) -> Mapping[UUID, Exception]:
        """Args: {mail}. The effect outside comes before the record of it: at least once, with one id."""
        await runtime.refresh()
        mails = {UUID(job.args["mail"]): job for job in jobs}
        asked = {id_: job.attempt >= PATIENCE.max_attempts for id_, job in mails.items()}
        email = notifiers[ContactChannel.EMAIL]
        errors, became = await deliver(session, runtime.catalogue, email, asked, clock())
        for one in became:
            telemetry.message("STAFF_EMAIL", one.state.value)
        return {mails[id_].id: error for id_, error in errors.items()}

    return make
