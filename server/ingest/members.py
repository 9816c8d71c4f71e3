"""Feeds of enrolments: what is answered to a line."""

from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar, Literal

import msgspec

from alliance.intake.commands import Sender
from alliance.intake.members import Answer, Chunk, enrol, prepare
from alliance.runtime import Runtime
from domain.errors import Refusal
from resolvers import ids
from server.ingest.feed import Error, error_of
from server.ingest.splitter import RawLine

Status = Literal["ENROLLED", "KNOWN", "DUPLICATE", "REFUSED"]


class Result(msgspec.Struct, frozen=True, gc=False):
    """What became of an enrolment. `KNOWN`: they were a member, and had joined. `key` is null where none could be read.

    `number` is the member's own.
    """

    key: str | None
    status: Status
    member: str | None = None
    number: str | None = None
    created: bool = False
    joined: bool = False
    error: Error | None = None


class Members:
    """Whoever joins."""

    statuses: ClassVar[tuple[str, ...]] = ("ENROLLED", "KNOWN", "DUPLICATE", "REFUSED")

    def __init__(self, runtime: Runtime, sender: Sender) -> None:
        self._runtime, self._sender = runtime, sender

    async def prepare(self, lines: Sequence[RawLine], as_of: datetime | None) -> Chunk:
        """Checked."""
        return await prepare(self._runtime, self._sender, lines, as_of)

    async def post(self, chunk: Chunk) -> list[Result]:
        """Enrolled."""
        return [_result(answer) for answer in await enrol(self._runtime, self._sender, chunk)]


def _result(answer: Answer) -> Result:
    outcome = answer.outcome
    if isinstance(outcome, Refusal):
        return Result(answer.key, "REFUSED", error=error_of(outcome))
    new: Status = "ENROLLED" if outcome.joined else "KNOWN"
    member = ids.encode("Member", outcome.member_id)
    status: Status = "DUPLICATE" if answer.duplicate else new
    return Result(answer.key, status, member, outcome.number, outcome.created, outcome.joined)
