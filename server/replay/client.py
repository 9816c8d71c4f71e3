"""A client of the API as any other: GraphQL for what members do, the feed for what tills send."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from datetime import datetime
from itertools import islice
from types import TracebackType
from typing import Any, Self

import aiohttp
import msgspec
import orjson

LINES_A_PIECE = 100
AT_ONCE = 24
"""Calls under way at the same time."""


Call = Callable[[], Awaitable[None]]


class ApiFault(Exception):
    """The API could not answer. What it had not confirmed may be sent again."""


class FeedResult(msgspec.Struct):
    """A result line, as far as a replay looks at it; the last line has the summary alone."""

    key: str | None = None
    status: str = ""
    points: int | None = None
    error: dict[str, Any] | None = None
    summary: dict[str, int] | None = None


class Client:
    """Use as a context. `token` must have the scope `clock`: every call says what time it is."""

    def __init__(self, url: str, token: str) -> None:
        self._url, self._token = url, token

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            headers={"Authorization": f"Bearer {self._token}"},
            connector=aiohttp.TCPConnector(limit=AT_ONCE),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=10),
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def call(self, document: str, variables: Mapping[str, Any], as_of: datetime) -> dict[str, Any]:
        """The answer of a document's one field: a success or a refusal, by `__typename`. Raises ApiFault."""
        headers = {"Tessera-Clock": as_of.isoformat(), "Content-Type": "application/json"}
        body = orjson.dumps({"query": document, "variables": variables})
        try:
            async with self._session.post(f"{self._url}/graphql", data=body, headers=headers) as response:
                answer = orjson.loads(await response.read())
        except (aiohttp.ClientError, OSError, orjson.JSONDecodeError) as error:
            raise ApiFault(f"the API did not answer: {error or type(error).__name__}") from error
        if errors := answer.get("errors"):
            raise ApiFault(f"the API answered {errors[0]['message']} ({errors[0].get('extensions', {}).get('code')})")
        (field,) = answer["data"].values()
        found: dict[str, Any] = field
        return found

    async def feed(self, lines: Iterable[dict[str, Any]]) -> AsyncIterator[FeedResult]:
        """Send purchases on event time; give their results as they come. Raises ApiFault if not all was answered."""
        headers = {"Tessera-Clock": "event", "Content-Type": "application/x-ndjson"}
        decode = msgspec.json.Decoder(FeedResult).decode
        whole = False
        try:
            url = f"{self._url}/ingest/purchases"
            async with self._session.post(url, data=_pieces(iter(lines)), headers=headers) as response:
                if response.status != 200:
                    raise ApiFault(f"the feed was refused: {await response.text()}")
                async for line in response.content:
                    result = decode(line)
                    whole = result.summary is not None
                    if not whole:
                        yield result
        except (aiohttp.ClientError, OSError, msgspec.DecodeError) as error:
            raise ApiFault(f"the feed was cut: {error or type(error).__name__}") from error
        if not whole:
            raise ApiFault("the feed was cut: no summary came")


async def _pieces(lines: Iterator[dict[str, Any]]) -> AsyncIterator[bytes]:
    encode = msgspec.json.Encoder().encode_lines
    while piece := list(islice(lines, LINES_A_PIECE)):
        yield encode(piece)


async def all_of(calls: Iterator[Call]) -> None:
    """Make calls, AT_ONCE at a time. The first fault ends it."""

    async def work() -> None:
        for call in calls:
            await call()

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(AT_ONCE):
                group.create_task(work())
    except* ApiFault as faults:
        raise faults.exceptions[0] from None
