"""The ASGI endpoint: who may send, what time it is, and the answer's head. The feed itself is in feed.py."""

from collections.abc import Awaitable, Callable, MutableMapping
from datetime import UTC, datetime
from typing import Any

from starlette.datastructures import Headers

from alliance.intake.commands import Sender
from alliance.runtime import Runtime
from resolvers import ids
from resolvers.viewer import Scope, Verifier, Viewer
from server.callers import Refused, clock_of, moment, require_scope, viewer_of
from server.ingest.feed import Feed, Intake, Purchases
from server.ingest.members import Members

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

MEDIA_TYPE = "application/x-ndjson"
EVENT_TIME = "event"


def ingest_app(runtime: Runtime, verifier: Verifier, secret: bytes) -> "Ingest":
    """The application for POST /ingest/purchases. `secret` is that of the fingerprints of idempotency keys."""
    return Ingest(runtime, verifier, secret, Scope.POINTS_EARN, Purchases)


def members_app(runtime: Runtime, verifier: Verifier, secret: bytes) -> "Ingest":
    """The application for POST /ingest/members, likewise."""
    return Ingest(runtime, verifier, secret, Scope.MEMBERS_WRITE, Members)


class Ingest:
    """Takes feeds. (An object: a framework takes a function for a handler of requests.)"""

    def __init__(
        self,
        runtime: Runtime,
        verifier: Verifier,
        secret: bytes,
        scope: Scope,
        intake: Callable[[Runtime, Sender], Intake],
    ) -> None:
        self._runtime, self._verifier, self._secret = runtime, verifier, secret
        self._scope, self._intake = scope, intake

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        try:
            headers = Headers(scope=scope)
            if scope["method"] != "POST":
                raise Refused(405, "METHOD_NOT_ALLOWED", "feeds are sent by POST", {"allow": "POST"})
            viewer = viewer_of(self._verifier, headers)
            require_scope(viewer, self._scope)
            if headers.get("content-type", "").split(";")[0].strip().lower() != MEDIA_TYPE:
                raise Refused(415, "BAD_USER_INPUT", f"a feed is {MEDIA_TYPE}")
            feed = Feed(self._intake(self._runtime, _sender(viewer, self._secret)), _clock(viewer, headers))
        except Refused as refused:
            await refused.response()(scope, receive, send)
            return
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", MEDIA_TYPE.encode())]})
        await feed.run(receive, send)


def _sender(viewer: Viewer, secret: bytes) -> Sender:
    return Sender(
        client_id=viewer.client_id,
        subject=viewer.subject,
        secret=secret,
        merchant_id=viewer.merchant_id,
        may_give=Scope.POINTS_GIVE in viewer.scopes,
        may_reverse=Scope.POINTS_REVERSE in viewer.scopes,
        may_grant=Scope.RIGHTS_GRANT in viewer.scopes,
        may_use=Scope.RIGHTS_USE in viewer.scopes,
        may_verify=Scope.IDENTIFIERS_VERIFY in viewer.scopes,
        operation_of=lambda id_: ids.decode_as("Operation", id_, 2),
    )


def _clock(viewer: Viewer, headers: Headers) -> Callable[[], datetime | None]:
    """What time it is for the feed: now, a fixed moment, or None for the time that each line names."""
    said = clock_of(viewer, headers)
    if said is None:
        return lambda: datetime.now(UTC)
    if said == EVENT_TIME:
        return lambda: None
    fixed = moment(said, f"Tessera-Clock is {EVENT_TIME!r} or")
    return lambda: fixed
