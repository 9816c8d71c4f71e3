"""Tables that people send, a row a line: CSV whose first line names its columns, or JSON Lines; one answer a line."""

import csv
from abc import ABC, abstractmethod
from collections.abc import Collection, MutableMapping
from datetime import UTC, datetime
from typing import Any, ClassVar

import msgspec
from starlette.datastructures import Headers, QueryParams

from alliance.intake.errors import LineTooLong
from domain.errors import InvalidInput
from resolvers.context import Context, House
from resolvers.viewer import Scope, Verifier
from server.callers import Refused, clock_of, moment, require_scope, viewer_of
from server.ingest.app import MEDIA_TYPE, Receive, Send
from server.ingest.feed import Feed, Intake
from server.ingest.splitter import RawLine

CSV = "text/csv"


class Table:
    """Reads lines into fields. Of a CSV `columns` are taken, others passed over; `needed` are those it must have."""

    def __init__(self, is_csv: bool, columns: Collection[str], needed: Collection[str]) -> None:
        self._csv, self._known, self._needed = is_csv, frozenset(columns), needed
        self._columns: list[str] | None = None
        self._delimiter = ","

    def fields(self, raw: RawLine) -> dict[str, Any] | None:
        """The fields of a line; None for the names of columns. Raises InvalidInput, LineTooLong."""
        if isinstance(raw, LineTooLong):
            raise raw
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
            missing = [name for name in self._needed if name not in self._columns]
            if missing:
                raise InvalidInput(reason=f"columns are missing: {', '.join(missing)}")
            return None
        cells = self._cells(text)
        if len(cells) != len(self._columns):
            raise InvalidInput(reason=f"{len(self._columns)} columns are named, this line has {len(cells)}")
        return {name: cell for name, cell in zip(self._columns, cells, strict=True) if name in self._known and cell}

    def _cells(self, text: str) -> list[str]:
        try:
            (cells,) = csv.reader([text], delimiter=self._delimiter, strict=True)
        except (csv.Error, ValueError):
            raise InvalidInput(reason="the line is no CSV; a field has no line breaks") from None
        return cells


def without_guard(line: str) -> str:
    """A line's name as we wrote it: spreadsheets get a quote before what might be a formula."""
    return line.removeprefix("'")


def key_of(fields: dict[str, Any]) -> str | None:
    """The sender's own name of a line, if one can be read."""
    return fields["key"] if isinstance(fields.get("key"), str) else None


class TableIngest(ABC):
    """An endpoint for such tables. (An object: a framework takes a function for a handler of requests.)"""

    what: ClassVar[str]
    scope: ClassVar[Scope]

    def __init__(self, house: House, verifier: Verifier) -> None:
        self._house, self._verifier = house, verifier

    @abstractmethod
    async def intake(self, context: Context, is_csv: bool, asked: QueryParams) -> Intake:
        """What takes the lines. Raises Refused."""

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        try:
            headers = Headers(scope=scope)
            if scope["method"] != "POST":
                raise Refused(405, "METHOD_NOT_ALLOWED", f"{self.what} are sent by POST", {"allow": "POST"})
            viewer = viewer_of(self._verifier, headers)
            require_scope(viewer, self.scope)
            media_type = headers.get("content-type", "").split(";")[0].strip().lower()
            if media_type not in (CSV, MEDIA_TYPE):
                raise Refused(415, "BAD_USER_INPUT", f"{self.what} are {CSV} or {MEDIA_TYPE}")
            said = clock_of(viewer, headers)
            as_of = datetime.now(UTC) if said is None else moment(said, "Tessera-Clock")
            context = Context(self._house, viewer, as_of)
            intake = await self.intake(context, media_type == CSV, QueryParams(scope["query_string"]))
        except Refused as refused:
            await refused.response()(scope, receive, send)
            return
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", MEDIA_TYPE.encode())]})
        await Feed(intake, lambda: as_of).run(receive, send)
