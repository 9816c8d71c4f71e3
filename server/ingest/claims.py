"""POST /ingest/claims: many claims at once, from CSV or JSON Lines; one answer a line, in order."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Literal

import msgspec
from starlette.datastructures import QueryParams

from alliance.disputes.claims import ClaimAsked, raise_or_find
from alliance.disputes.model import ClaimCode
from domain.errors import InvalidInput, NotFound, Refusal
from domain.money import MICRO, scaled
from resolvers import ids
from resolvers.claims import party_id, party_of
from resolvers.context import Context
from resolvers.lines import place_of
from resolvers.viewer import Scope
from server.ingest.feed import Error, Intake, error_of
from server.ingest.splitter import RawLine
from server.ingest.tables import Table, TableIngest, key_of, without_guard

_PLACES = len(str(MICRO)) - 1
COLUMNS = ("key", "line", "against", "amount", "quantity", "code", "text", "attachments")
NEEDED = ("key", "code", "text")

Status = Literal["RAISED", "DUPLICATE", "REFUSED"]


class Line(msgspec.Struct, frozen=True, gc=False):
    """A claim as it is sent. `attachments` are ids, in CSV with spaces between."""

    key: str
    code: ClaimCode
    text: str
    line: str | None = None
    against: str | None = None
    amount: str | None = None
    quantity: int | None = None
    attachments: Sequence[str] = ()


class Result(msgspec.Struct, frozen=True, gc=False):
    """What became of a line: its claim's id, or why there is none. `key` is null where none could be read."""

    key: str | None
    status: Status
    claim: str | None = None
    error: Error | None = None


@dataclass(frozen=True, slots=True)
class Read:
    """A line that was read: what is asked for, or why it cannot be."""

    key: str | None
    asked: ClaimAsked | Refusal


class Claims:
    """The claims of one party, in the order of its lines. The first line of a CSV names its columns."""

    statuses: ClassVar[tuple[str, ...]] = ("RAISED", "DUPLICATE", "REFUSED")

    def __init__(self, context: Context, is_csv: bool) -> None:
        self._context, self._table = context, Table(is_csv, COLUMNS, NEEDED)

    async def prepare(self, lines: Sequence[RawLine], as_of: datetime | None) -> list[Read]:
        """Read."""
        return [read for line in lines if (read := self._read(line)) is not None]

    async def post(self, chunk: list[Read]) -> list[Result]:
        """Raised, those that can be."""
        asked = [one.asked for one in chunk if isinstance(one.asked, ClaimAsked)]
        runtime, viewer = self._context.runtime, self._context.signed_in
        async with runtime.database.transaction() as session:
            about = {"merchant_id": party_of(self._context), "who": viewer.subject}
            found = iter(
                await raise_or_find(session, runtime.catalogue.alliance, asked, **about, as_of=self._context.as_of)
            )
        return [self._result(one, one.asked if isinstance(one.asked, Refusal) else next(found)) for one in chunk]

    def _result(self, read: Read, outcome: Any) -> Result:
        if isinstance(outcome, Refusal):
            return Result(read.key, "REFUSED", error=error_of(outcome))
        status: Status = "DUPLICATE" if outcome.again else "RAISED"
        return Result(read.key, status, ids.encode("Claim", outcome.claim.id))

    def _read(self, raw: RawLine) -> Read | None:
        """None for the names of columns. A line that cannot be read is refused by itself."""
        key: str | None = None
        try:
            fields = self._table.fields(raw)
            if fields is None:
                return None
            key = key_of(fields)
            return Read(key, self._asked(_line(fields)))
        except Refusal as refusal:
            return Read(key, refusal)

    def _asked(self, line: Line) -> ClaimAsked:
        """Raises a Refusal."""
        try:
            attached = [ids.decode_as("Attachment", one, 1)[0] for one in line.attachments]
        except NotFound:
            raise NotFound(what="attachment", path=("attachments",)) from None
        context = self._context
        return ClaimAsked(
            place=None if line.line is None else place_of(context, without_guard(line.line), ("line",)),
            against_id=None if line.against is None else party_id(context, line.against, ("against",)),
            amount=None if line.amount is None else _amount(line.amount),
            code=line.code,
            text=line.text,
            quantity=line.quantity,
            attachments=attached,
            key=line.key,
        )


def _line(fields: dict[str, Any]) -> Line:
    """Raises InvalidInput."""
    if isinstance(fields.get("attachments"), str):
        fields["attachments"] = fields["attachments"].split()
    try:
        line = msgspec.convert(fields, Line, strict=False)
    except msgspec.ValidationError as error:
        raise InvalidInput(reason=str(error)) from None
    if not 0 < len(line.key) <= 200 or "\0" in line.key + line.text:
        raise InvalidInput(reason="a key has 1 to 200 characters, and no text has U+0000", path=("key",))
    return line


def _amount(text: str) -> int:
    try:
        return scaled(text, _PLACES)
    except InvalidInput as refusal:
        raise refusal.at("amount") from None


class ClaimsIngest(TableIngest):
    """The endpoint."""

    what, scope = "claims", Scope.CLAIMS_WRITE

    async def intake(self, context: Context, is_csv: bool, asked: QueryParams) -> Intake:
        """The caller's claims."""
        return Claims(context, is_csv)
