"""The ASGI endpoint: who may send, what time it is, and the answer's head. The feed itself is in feed.py."""

from collections.abc import Awaitable, Callable, MutableMapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from alliance.intake.commands import Sender
from alliance.runtime import Runtime
from resolvers.viewer import InvalidToken, Scope, Verifier, Viewer
from server.ingest.feed import Feed

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

MEDIA_TYPE = b"application/x-ndjson"
CLOCK_HEADER = b"tessera-clock"
EVENT_TIME = "event"


class _Refused(Exception):
    """The feed is not taken at all."""

    def __init__(self, status: int, code: str, message: str, *headers: tuple[bytes, bytes]) -> None:
        super().__init__(message)
        self.status, self.code, self.headers = status, code, headers


def ingest_app(runtime: Runtime, verifier: Verifier, secret: bytes) -> "Ingest":
    """The application for POST /ingest/purchases. `secret` is that of the fingerprints of idempotency keys."""
    return Ingest(runtime, verifier, secret)


class Ingest:
    """Takes feeds. (An object: a framework takes a function for a handler of requests.)"""

    def __init__(self, runtime: Runtime, verifier: Verifier, secret: bytes) -> None:
        self._runtime, self._verifier, self._secret = runtime, verifier, secret

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        try:
            headers = dict(scope["headers"])
            if scope["method"] != "POST":
                raise _Refused(405, "METHOD_NOT_ALLOWED", "feeds are sent by POST", (b"allow", b"POST"))
            viewer = _viewer(self._verifier, headers)
            if headers.get(b"content-type", b"").split(b";")[0].strip().lower() != MEDIA_TYPE:
                raise _Refused(415, "BAD_USER_INPUT", f"a feed is {MEDIA_TYPE.decode()}")
            feed = Feed(self._runtime, _sender(viewer, self._secret), _clock(viewer, headers))
        except _Refused as refused:
            await _refuse(send, refused)
            return
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", MEDIA_TYPE)]})
        await feed.run(receive, send)


def _viewer(verifier: Verifier, headers: dict[bytes, bytes]) -> Viewer:
    scheme, _, token = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
    challenge = (b"www-authenticate", b"Bearer")
    if scheme.lower() != "bearer" or not token:
        raise _Refused(401, "UNAUTHENTICATED", "a bearer token is needed", challenge)
    try:
        viewer = verifier.verify(token.strip())
    except InvalidToken as error:
        raise _Refused(401, "UNAUTHENTICATED", str(error), challenge) from None
    if Scope.POINTS_EARN not in viewer.scopes:
        raise _Refused(403, "FORBIDDEN", f"the scope {Scope.POINTS_EARN} is needed")
    return viewer


def _sender(viewer: Viewer, secret: bytes) -> Sender:
    return Sender(
        client_id=viewer.client_id,
        subject=viewer.subject,
        secret=secret,
        merchant_id=viewer.merchant_id,
        may_give=Scope.POINTS_GIVE in viewer.scopes,
        may_reverse=Scope.POINTS_REVERSE in viewer.scopes,
    )


def _clock(viewer: Viewer, headers: dict[bytes, bytes]) -> Callable[[], datetime | None]:
    """What time it is for the feed: now, a fixed moment, or None for the time that each line names."""
    said = headers.get(CLOCK_HEADER, b"").decode("latin-1").strip()
    if not said:
        return lambda: datetime.now(UTC)
    if Scope.CLOCK not in viewer.scopes:
        raise _Refused(403, "FORBIDDEN", f"the scope {Scope.CLOCK} is needed")
    if said == EVENT_TIME:
        return lambda: None
    try:
        moment = msgspec.convert(said, datetime)
    except msgspec.ValidationError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise _Refused(400, "BAD_USER_INPUT", f"Tessera-Clock is {EVENT_TIME!r} or a time with its offset (RFC 3339)")
    return lambda: moment


async def _refuse(send: Send, refused: _Refused) -> None:
    body = msgspec.json.encode({"error": {"code": refused.code, "message": str(refused), "path": []}})
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode()), *refused.headers]
    await send({"type": "http.response.start", "status": refused.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
