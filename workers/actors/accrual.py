"""Accrual from jobs: purchases that were taken down first and are posted now, by the same path as a feed's."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from uuid import UUID

import orjson
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.intake.commands import Sender, take
from alliance.runtime import Runtime
from domain.errors import Refusal
from domain.events.model import HeldJob
from workers.actor import Work

#: The client in whose space of keys a purchase lies that came from no client.
OURSELVES = UUID(int=0x7E55)


def accrual(fingerprint_secret: bytes) -> Work:
    """The actor. Its secret is the one of the API, so that a key used there is known here."""

    async def accrue(runtime: Runtime, session: AsyncSession, jobs: Sequence[HeldJob]) -> Mapping[UUID, Exception]:
        """Post purchases and returns.

        Args: {lines: [as in a feed, `key` optional]}, and of whom they came, if of anyone: {client, subject, merchant},
        ids, `merchant` null for one that speaks for all. They carry what a member is recognised by; a job is deleted
        once done. A line without a key gets one from the job's id. The first line refused is why a job fails; its
        others are posted.
        """
        by_sender: defaultdict[Sender, list[tuple[UUID, bytes]]] = defaultdict(list)
        for job in jobs:
            by_sender[_sender(job, fingerprint_secret)] += [(job.id, line) for line in _lines(job)]
        failed: dict[UUID, Exception] = {}
        for sender, lines in by_sender.items():
            answers = await take(runtime, sender, [line for _, line in lines], as_of=datetime.now(UTC))
            for (job_id, _), answer in zip(lines, answers, strict=True):
                refusal = answer.outcome if isinstance(answer.outcome, Refusal) else answer.refused
                if refusal is not None:
                    failed.setdefault(job_id, refusal)
        return failed

    return accrue


def _sender(job: HeldJob, fingerprint_secret: bytes) -> Sender:
    """Whoever added the job was allowed to."""
    client, subject, merchant = (job.args.get(name) for name in ("client", "subject", "merchant"))
    return Sender(
        client_id=UUID(client) if client else OURSELVES,
        subject=UUID(subject) if subject else OURSELVES,
        secret=fingerprint_secret,
        merchant_id=UUID(merchant) if merchant else None,
        may_give=True,
        may_reverse=True,
    )


def _lines(job: HeldJob) -> list[bytes]:
    return [orjson.dumps({"key": f"{job.id}-{n}"} | line) for n, line in enumerate(job.args["lines"])]
