"""Who calls an endpoint that is not GraphQL, what time it is for them, and how they are turned away."""

from datetime import UTC, datetime

import msgspec
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from resolvers.context import Context, House, language_of
from resolvers.policy import Denied
from resolvers.viewer import InvalidToken, Scope, Verifier, Viewer
from schema.policies import SETTLEMENT

CLOCK_HEADER = "tessera-clock"


class Refused(Exception):
    """A request that is not answered at all."""

    def __init__(self, status: int, code: str, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.headers = status, code, headers

    def response(self) -> Response:
        """What the caller is told."""
        error = {"code": self.code, "message": str(self), "path": []}
        return JSONResponse({"error": error}, self.status, self.headers)


def viewer_of(verifier: Verifier, headers: Headers) -> Viewer:
    """Who the bearer token signs in. Raises Refused."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    challenge = {"www-authenticate": "Bearer"}
    if scheme.lower() != "bearer" or not token:
        raise Refused(401, "UNAUTHENTICATED", "a bearer token is needed", challenge)
    try:
        return verifier.verify(token.strip())
    except InvalidToken as error:
        raise Refused(401, "UNAUTHENTICATED", str(error), challenge) from None


def require_scope(viewer: Viewer, scope: Scope) -> None:
    """Raises Refused unless the caller has it."""
    if scope not in viewer.scopes:
        raise Refused(403, "FORBIDDEN", f"the scope {scope} is needed")


def settling(house: House, verifier: Verifier, request: Request) -> Context:
    """The call of somebody who may see what is settled. Raises Refused."""
    viewer = viewer_of(verifier, request.headers)
    try:
        SETTLEMENT.require(viewer)
    except Denied as denied:
        raise Refused(403, denied.code, str(denied)) from None
    return Context(house, viewer, datetime.now(UTC), language_of(request.headers.get("accept-language", "")))


def clock_of(viewer: Viewer, headers: Headers) -> str | None:
    """What time the caller says that it is, if they do. Raises Refused unless they may."""
    said = headers.get(CLOCK_HEADER, "").strip()
    if said:
        require_scope(viewer, Scope.CLOCK)
    return said or None


def moment(text: str, what: str) -> datetime:
    """A time with its offset. Raises Refused."""
    try:
        found = msgspec.convert(text, datetime)
    except msgspec.ValidationError:
        found = None
    if found is None or found.tzinfo is None:
        raise Refused(400, "BAD_USER_INPUT", f"{what} is a time with its offset (RFC 3339)")
    return found
