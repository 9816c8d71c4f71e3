"""Messages to members: those of notices, sending them, and finding what else members are to be told."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from alliance.messages.planning import of_notice, plan, source_of
from alliance.messages.sending import deliver
from alliance.runtime import Runtime
from domain.events.commands import add_jobs
from domain.events.model import HeldJob, NewJob, RetryPolicy
from domain.messages.model import MessageState
from domain.messages.port import Notifiers
from domain.notices.commands import SENDER as NOTIFY
from domain.notices.queries import by_ids
from workers import telemetry
from workers.actor import Work

#: A provider that is away is away for hours, not for seconds: ten attempts in about five hours.
PATIENCE = RetryPolicy(max_attempts=10, first_delay=30.0, max_delay=3600.0)

Clock = Callable[[], datetime]


def _now() -> datetime:
    return datetime.now(UTC)


def notify(clock: Clock = _now) -> Work:
    """The actor that makes messages of notices."""

    async def make(runtime: Runtime, session: AsyncSession, jobs: Sequence[HeldJob]) -> Mapping[UUID, Exception]:
        """Args: {holder, notice}. A notice whose merchant sends no messages is left to whoever reports on it; one
        whose window opens later waits, one whose window is over is not sent any more.

        Not by a channel that it failed by. Needs no key: a notice has one message a channel.
        """
        await runtime.refresh()
        now = clock()
        found = await by_ids(session, [(UUID(job.args["holder"]), UUID(job.args["notice"])) for job in jobs])
        notices = [told.notice for told in found.values()]
        early = [one for one in notices if one.opens_at > now]
        await add_jobs(
            session,
            [
                NewJob(NOTIFY, {"holder": str(one.holder_id), "notice": str(one.id)}, available_at=one.opens_at)
                for one in early
            ],
        )
        open_ = [one for one in notices if one.opens_at <= now and (one.closes_at is None or one.closes_at > now)]
        tried = {(one.notice.holder_id, source_of(one.notice)): one.failed_by for one in found.values()}
        await plan(session, runtime.catalogue, [of_notice(one) for one in open_], now, tried)
        return {}

    return make


def send(notifiers: Notifiers, clock: Clock = _now) -> Work:
    """The actor that sends messages, by these adapters."""

    async def make(runtime: Runtime, session: AsyncSession, jobs: Sequence[HeldJob]) -> Mapping[UUID, Exception]:
        """Args: {holder, message}. The effect outside comes before the record of it: at least once, with one id."""
        await runtime.refresh()
        keys = {(UUID(job.args["holder"]), UUID(job.args["message"])): job for job in jobs}
        asked = {key: job.attempt >= PATIENCE.max_attempts for key, job in keys.items()}
        errors, became = await deliver(session, runtime.catalogue, notifiers, asked, clock())
        for one in became:
            waits = one.state is MessageState.WAITING and one.due_at is not None
            telemetry.message(one.message.channel, "QUIET_HOURS" if waits else one.state.value)
        return {keys[key].id: error for key, error in errors.items()}

    return make
