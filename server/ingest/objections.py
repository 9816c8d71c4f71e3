"""POST /ingest/objections?cycle=N: objections to many lines of one's statement, from CSV or JSON Lines; one answer a
line, in order."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Literal
from uuid import UUID

import msgspec
from starlette.datastructures import QueryParams

from alliance.disputes.commands import object_to_each
from alliance.disputes.model import ObjectionReason
from alliance.disputes.rules import Objected
from alliance.settlement.queries import by_numbers
from domain.errors import InvalidInput, Refusal
from resolvers import ids
from resolvers.context import Context
from resolvers.disputes import objected
from resolvers.viewer import Scope
from server.callers import Refused
from server.ingest.feed import Error, Intake, error_of
from server.ingest.splitter import RawLine
from server.ingest.tables import Table, TableIngest, key_of, without_guard

COLUMNS = ("key", "line", "reason", "expected", "other")
NEEDED = ("line", "reason")

Status = Literal["RAISED", "DUPLICATE", "REFUSED"]


class Line(msgspec.Struct, frozen=True, gc=False):
    """An objection as it is sent: `expected` is a decimal in the settlement currency, `other` a line."""

    line: str
    reason: ObjectionReason
    key: str | None = None
    expected: str | None = None
    other: str | None = None


class Result(msgspec.Struct, frozen=True, gc=False):
    """What became of a line: its dispute's id, or why there is none. `key` is the sender's, if there is one."""

    key: str | None
    status: Status
    claim: str | None = None
    error: Error | None = None


@dataclass(frozen=True, slots=True)
class Read:
    """A line that was read: what is objected, or why it cannot be."""

    key: str | None
    asked: Objected | Refusal


class Objections:
    """One merchant's, to lines of a cycle."""

    statuses: ClassVar[tuple[str, ...]] = ("RAISED", "DUPLICATE", "REFUSED")

    def __init__(self, context: Context, merchant_id: UUID, cycle_id: UUID, is_csv: bool) -> None:
        self._context, self._merchant_id, self._cycle_id = context, merchant_id, cycle_id
        self._table = Table(is_csv, COLUMNS, NEEDED)

    async def prepare(self, lines: Sequence[RawLine], as_of: datetime | None) -> list[Read]:
        """Read."""
        return [read for line in lines if (read := self._read(line)) is not None]

    async def post(self, chunk: list[Read]) -> list[Result]:
        """Raised, those that can be."""
        asked = [one.asked for one in chunk if isinstance(one.asked, Objected)]
        runtime, viewer = self._context.runtime, self._context.signed_in
        about: dict[str, Any] = {"merchant_id": self._merchant_id, "who": viewer.subject, "as_of": self._context.as_of}
        async with runtime.database.transaction() as session:
            found = iter(await object_to_each(session, runtime.catalogue.alliance, self._cycle_id, asked, **about))
        return [_result(one.key, one.asked if isinstance(one.asked, Refusal) else next(found)) for one in chunk]

    def _read(self, raw: RawLine) -> Read | None:
        """None for the names of columns. A line that cannot be read is refused by itself."""
        key: str | None = None
        try:
            fields = self._table.fields(raw)
            if fields is None:
                return None
            key = key_of(fields)
            return Read(key, self._asked(fields))
        except Refusal as refusal:
            return Read(key, refusal)

    def _asked(self, fields: dict[str, Any]) -> Objected:
        """Raises a Refusal."""
        try:
            line = msgspec.convert(fields, Line)
        except msgspec.ValidationError as error:
            raise InvalidInput(reason=str(error)) from None
        currency = self._context.runtime.catalogue.alliance.settlement_currency
        sent: dict[str, Any] = {"line": without_guard(line.line), "reason": line.reason}
        if line.expected is not None:
            sent["expected"] = {"amount": line.expected, "currency": currency}
        if line.other is not None:
            sent["other"] = without_guard(line.other)
        return objected(self._context, sent, currency, ())


def _result(key: str | None, outcome: tuple[UUID, bool] | Refusal) -> Result:
    if isinstance(outcome, Refusal):
        return Result(key, "REFUSED", error=error_of(outcome))
    id_, again = outcome
    return Result(key, "DUPLICATE" if again else "RAISED", ids.encode("Claim", id_))


class ObjectionsIngest(TableIngest):
    """The endpoint."""

    what, scope = "objections", Scope.CYCLE_OBJECT

    async def intake(self, context: Context, is_csv: bool, asked: QueryParams) -> Intake:
        """A merchant's objections to lines of the cycle that `cycle` numbers. Raises Refused."""
        merchant_id = context.own_merchant_id
        if merchant_id is None:
            raise Refused(403, "FORBIDDEN", "only a merchant objects to its statement")
        number = asked.get("cycle", "")
        async with context.runtime.database.reader() as session:
            found = await by_numbers(session, [int(number)]) if number.isdecimal() and len(number) < 10 else {}
        if not found:
            raise Refused(404, "NOT_FOUND", "name a cycle by its number: ?cycle=12")
        return Objections(context, merchant_id, found[int(number)].id, is_csv)
