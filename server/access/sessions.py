"""Members who stay signed in: sessions, and the refresh tokens that renew them (RFC 6749, section 6)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

import structlog

from domain.database import Database
from domain.members.model import Member, MemberStatus
from domain.sessions import commands
from domain.sessions.model import Ended, SignIn
from resolvers.viewer import Viewer
from server.access.errors import OAuthError
from server.access.exchange import WITHHELD
from server.access.refresh import read_refresh, refresh_token

GRANT = "refresh_token"

log = structlog.get_logger("sign-in")


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A member who signed in through a client, in a session, with what renews it."""

    viewer: Viewer
    session_id: UUID
    refresh_token: str


class Sessions:
    """Opens, renews and ends sessions."""

    def __init__(self, database: Database, secret: bytes) -> None:
        self._database, self._secret = database, secret

    async def open(self, viewer: Viewer) -> SignedIn:
        """A session of a member who has just signed in."""
        assert viewer.member_id is not None
        async with self._database.transaction() as session:
            row = await commands.sign_in(
                session,
                viewer.member_id,
                client_id=viewer.client_id,
                scopes=viewer.scopes,
                as_of=datetime.now(UTC),
                device_id=viewer.device_id,
            )
        return SignedIn(viewer, row.id, refresh_token(self._secret, row))

    async def renew(self, client: Viewer, form: Mapping[str, str]) -> SignedIn:
        """Another access token and another refresh token for the one of this form. Raises OAuthError."""
        refused = OAuthError("invalid_grant", "the refresh token is no good (any more): sign in again")
        asked = read_refresh(self._secret, form.get("refresh_token", ""))
        if asked is None:
            raise refused
        async with self._database.transaction() as session:
            row = await commands.renew(session, *asked, client_id=client.client_id, as_of=datetime.now(UTC))
            member = await session.get(Member, asked.holder_id)
        if row is Ended.REUSED:
            log.warning("a refresh token came twice: its session is over", session=str(asked.session_id))
        if not isinstance(row, SignIn) or member is None or member.status == MemberStatus.CLOSED:
            raise refused
        scopes = frozenset(row.scopes) - (WITHHELD - client.scopes)
        viewer = Viewer(
            "member", row.client_id, row.holder_id, None, row.holder_id, _narrowed(scopes, form), row.device_id
        )
        return SignedIn(viewer, row.id, refresh_token(self._secret, row))

    async def end(self, client: Viewer, token: str) -> None:
        """End the session of a refresh token that this client was given; nothing for what is none (RFC 7009)."""
        asked = read_refresh(self._secret, token)
        if asked is None:
            return
        async with self._database.transaction() as session:
            await commands.end(
                session,
                asked.holder_id,
                asked.session_id,
                Ended.SIGNED_OUT,
                client_id=client.client_id,
                as_of=datetime.now(UTC),
            )

    async def revoke(self, token_id: UUID) -> None:
        """Let an access token be no good any more."""
        async with self._database.transaction() as session:
            await commands.revoke(session, token_id)


def _narrowed(scopes: frozenset[str], form: Mapping[str, str]) -> frozenset[str]:
    if "scope" not in form:
        return scopes
    asked = frozenset(form["scope"].split())
    if not asked or not asked <= scopes:
        raise OAuthError("invalid_scope", "the session does not have this scope")
    return asked
