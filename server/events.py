"""GET /events: what happened, as CloudEvents 1.0 in batches; whoever is at the end may wait there for news."""

import asyncio
from collections.abc import Collection
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import orjson
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response

from alliance.feed import queries
from alliance.feed.model import Happened
from alliance.feed.numbering import FEED
from alliance.feed.queries import Found
from domain.events.kinds import EventKind
from domain.ledger.errors import Overloaded
from domain.programs.catalogue import Catalogue
from resolvers import events
from resolvers.context import Context, House
from resolvers.policy import Denied
from resolvers.viewer import Verifier
from schema.policies import EVENTS
from server.callers import Refused, viewer_of

BATCH = "application/cloudevents-batch+json"
MOST, DEFAULT = 1000, 100
LONGEST_WAIT = 60.0


def cloud_event(catalogue: Catalogue, one: Happened, merchant_id: UUID | None) -> dict[str, Any]:
    """An event as a merchant is told of it (None: the operator), by CloudEvents 1.0 and its sequence extension.

    A message that tries a webhook out has no place in the sequence.
    """
    data = events.told(catalogue, one, merchant_id)
    about = events.subject(one, data)
    return {
        "specversion": "1.0",
        "id": events.global_id(one),
        "source": f"/tessera/{catalogue.alliance.code}",
        "type": f"tessera.{one.kind}",
        "time": one.at.isoformat(),
        **({} if one.position < 0 else {"sequence": f"{one.position:020}"}),
        **({} if about is None else {"subject": about}),
        "datacontenttype": "application/json",
        "data": data,
    }


class Events:
    """The endpoint. Its answers are those of the field `events`, by the same policy."""

    def __init__(self, house: House, verifier: Verifier) -> None:
        self._house, self._verifier = house, verifier

    async def get(self, request: Request) -> Response:
        """Up to `limit` events after the sequence number `after`, of these `kinds`; none after up to `wait` seconds."""
        try:
            context = self._context(request)
            after, limit, kinds, wait = _asked(request.query_params)
            found = await self._found(context, after, limit, kinds, wait)
        except Refused as refused:
            return refused.response()
        catalogue, own = context.runtime.catalogue, context.own_merchant_id
        body = orjson.dumps([cloud_event(catalogue, one, own) for one in found.happened])
        return Response(body, media_type=BATCH, headers=_headers(request, found))

    def _context(self, request: Request) -> Context:
        viewer = viewer_of(self._verifier, request.headers)
        try:
            EVENTS.require(viewer)
        except Denied as denied:
            raise Refused(403, denied.code, str(denied)) from None
        return Context(self._house, viewer, datetime.now(UTC))

    async def _found(self, context: Context, after: int, limit: int, kinds: Collection[str], wait: float) -> Found:
        found = await self._read(context, after, limit, kinds)
        if found.happened or found.more or not wait:
            return found
        loop = asyncio.get_running_loop()
        until = loop.time() + wait
        try:
            async with self._house.waking.of(FEED, context.signed_in) as woken:
                while not (found.happened or found.more) and loop.time() < until:
                    woken.clear()
                    found = await self._read(context, found.upto, limit, kinds)
                    if not (found.happened or found.more):
                        with suppress(TimeoutError):
                            async with asyncio.timeout_at(until):
                                await woken.wait()
        except Overloaded as refusal:
            headers = {"retry-after": str(refusal.retry_after)}
            raise Refused(429, "RATE_LIMITED", "too many calls of this client wait", headers) from None
        return found

    async def _read(self, context: Context, after: int, limit: int, kinds: Collection[str]) -> Found:
        runtime = context.runtime
        async with runtime.database.reader() as session:
            return await queries.after(
                session, runtime.catalogue, after, limit, merchant_id=context.own_merchant_id, kinds=kinds
            )


def _asked(asked: QueryParams) -> tuple[int, int, list[str], float]:
    """Raises Refused."""
    try:
        after = events.place(asked.get("after", "-1"))
        limit = int(asked.get("limit", DEFAULT))
        wait = float(asked.get("wait", 0))
    except ValueError:
        raise Refused(400, "BAD_USER_INPUT", "after, limit and wait are numbers") from None
    if not 1 <= limit <= MOST or not 0 <= wait <= LONGEST_WAIT:
        raise Refused(400, "BAD_USER_INPUT", f"limit is 1 to {MOST}, wait at most {LONGEST_WAIT:.0f} seconds")
    kinds = [kind for kind in asked.get("kinds", "").split(",") if kind]
    if unknown := [kind for kind in kinds if kind not in EventKind.__members__]:
        raise Refused(400, "BAD_USER_INPUT", f"there is no kind {unknown[0][:40]}")
    return after, limit, kinds, wait


def _headers(request: Request, found: Found) -> dict[str, str]:
    """Where to go on: as a number, and as the address of the next page."""
    query = urlencode({**request.query_params, "after": found.upto})
    return {
        "tessera-next": str(found.upto),
        "link": f'<{request.url.path}?{query}>; rel="next"',
        "cache-control": "no-store",
    }
