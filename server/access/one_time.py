"""Signing in by a one-time code: POST /oauth/code asks for it, a grant of our own shows it."""

from collections.abc import Mapping
from datetime import UTC, datetime
from uuid import UUID

from starlette.responses import JSONResponse, Response

from alliance.passcodes import Asker, Passcodes
from domain.attempts.errors import TooManyAttempts
from domain.errors import InvalidInput, Refusal
from domain.members.model import IdentifierRef
from domain.passcodes.commands import LIFE
from server.access.errors import OAuthError

GRANT = "urn:tessera:grant-type:one-time-code"


class OneTimeGrant:
    """For members of the client's merchant, and who becomes one."""

    def __init__(self, passcodes: Passcodes) -> None:
        self._passcodes = passcodes

    async def send(self, asker: Asker, form: Mapping[str, str], language: str) -> Response:
        """Send a code; the answer is the same for everybody. Raises OAuthError."""
        try:
            await self._passcodes.send(asker, _identifier(form), language, datetime.now(UTC))
        except Refusal as refusal:
            raise oauth_error(refusal) from None
        return JSONResponse({"expires_in": int(LIFE.total_seconds())}, headers={"Cache-Control": "no-store"})

    async def member(self, asker: Asker, form: Mapping[str, str]) -> UUID:
        """Who has the address and the code. Raises OAuthError."""
        if "code" not in form:
            raise OAuthError("invalid_request", "code is missing")
        now = datetime.now(UTC)
        try:
            found = await self._passcodes.check(asker, _identifier(form), form["code"], channel="APP", as_of=now)
        except Refusal as refusal:
            raise oauth_error(refusal) from None
        return found.member_id


def oauth_error(refusal: Refusal) -> OAuthError:
    """A refusal as the token endpoint says it."""
    if isinstance(refusal, TooManyAttempts):
        headers = {"Retry-After": str(refusal.data["retry_after"])}
        return OAuthError("slow_down", refusal.message(), status=429, headers=headers)
    return OAuthError("invalid_request" if isinstance(refusal, InvalidInput) else "invalid_grant", refusal.message())


def _identifier(form: Mapping[str, str]) -> IdentifierRef:
    if "identifier_type" not in form or "identifier" not in form:
        raise OAuthError("invalid_request", "identifier_type and identifier are needed, such as PHONE")
    return IdentifierRef(form["identifier_type"], form.get("identifier_issuer"), form["identifier"])
