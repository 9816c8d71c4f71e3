"""POST /ingest/claims: many claims at once, from CSV or JSON Lines; one answer a line, in order."""

import csv
from collections.abc import MutableMapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar, Literal

import msgspec
from starlette.datastructures import Headers

from alliance.disputes.claims import ClaimAsked, raise_or_find
from alliance.disputes.model import ClaimCode
from alliance.intake.errors import LineTooLong
from domain.errors import InvalidInput, NotFound, Refusal
from domain.money import MICRO, scaled
from resolvers import ids
from resolvers.claims import party_id, party_of
from resolvers.context import Context, House
from resolvers.lines import place_of
from resolvers.viewer import Scope, Verifier
from server.callers import Refused, clock_of, moment, require_scope, viewer_of
from server.ingest.app import MEDIA_TYPE, Receive, Send
from server.ingest.feed import Error, Feed, error_of
from server.ingest.splitter import RawLine

CSV = "text/csv"
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
        self._context, self._csv = context, is_csv
        self._columns: list[str] | None = None
        self._delimiter = ","

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
            if isinstance(raw, LineTooLong):
                raise raw
            fields = self._fields(raw)
            if fields is None:
                return None
            key = fields["key"] if isinstance(fields.get("key"), str) else None
            return Read(key, self._asked(_line(fields)))
        except Refusal as refusal:
            return Read(key, refusal)

    def _fields(self, raw: bytes) -> dict[str, Any] | None:
        try:
            text = raw.decode("utf-8-sig" if self._columns is None else "utf-8").strip("\r\n")
            if not self._csv:
                found = msgspec.json.decode(text)
                if not isinstance(found, dict):
                    raise InvalidInput(reason="a line is a JSON object")
                return found
        except (UnicodeDecodeError, msgspec.DecodeError):
            raise InvalidInput(reason="the line is no UTF-8, or no JSON") from None
        if self._columns is None:
            self._delimiter = ";" if text.count(";") > text.count(",") else ","
            self._columns = [name.strip() for name in self._cells(text)]
            missing = [name for name in NEEDED if name not in self._columns]
            if missing:
                raise InvalidInput(reason=f"columns are missing: {', '.join(missing)}")
            return None
        cells = self._cells(text)
        if len(cells) != len(self._columns):
            raise InvalidInput(reason=f"{len(self._columns)} columns are named, this line has {len(cells)}")
        row: dict[str, Any] = {
            name: cell for name, cell in zip(self._columns, cells, strict=True) if name in COLUMNS and cell
        }
        if "attachments" in row:
            row["attachments"] = row["attachments"].split()
        if "line" in row:
            row["line"] = row["line"].removeprefix("'")  # as spreadsheets get what might be a formula
        return row

    def _cells(self, text: str) -> list[str]:
        try:
            (cells,) = csv.reader([text], delimiter=self._delimiter, strict=True)
        except (csv.Error, ValueError):
            raise InvalidInput(reason="the line is no CSV; a field has no line breaks") from None
        return cells

    def _asked(self, line: Line) -> ClaimAsked:
        """Raises a Refusal."""
        try:
            attached = [ids.decode_as("Attachment", one, 1)[0] for one in line.attachments]
        except NotFound:
            raise NotFound(what="attachment", path=("attachments",)) from None
        context = self._context
        return ClaimAsked(
            place=None if line.line is None else place_of(context, line.line, ("line",)),
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


class ClaimsIngest:
    """The endpoint. (An object: a framework takes a function for a handler of requests.)"""

    def __init__(self, house: House, verifier: Verifier) -> None:
        self._house, self._verifier = house, verifier

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        try:
            headers = Headers(scope=scope)
            if scope["method"] != "POST":
                raise Refused(405, "METHOD_NOT_ALLOWED", "claims are sent by POST", {"allow": "POST"})
            viewer = viewer_of(self._verifier, headers)
            require_scope(viewer, Scope.CLAIMS_WRITE)
            media_type = headers.get("content-type", "").split(";")[0].strip().lower()
            if media_type not in (CSV, MEDIA_TYPE):
                raise Refused(415, "BAD_USER_INPUT", f"claims are {CSV} or {MEDIA_TYPE}")
            said = clock_of(viewer, headers)
            as_of = datetime.now(UTC) if said is None else moment(said, "Tessera-Clock")
        except Refused as refused:
            await refused.response()(scope, receive, send)
            return
        claims = Claims(Context(self._house, viewer, as_of), media_type == CSV)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", MEDIA_TYPE.encode())]})
        await Feed(claims, lambda: as_of).run(receive, send)
