"""Token exchange (RFC 8693): a merchant's server says which of its members is signed in there, for a token of theirs.

The subject token is what the merchant knows the member by: their number, or an identifier of a declared type. The
merchant authenticates with its client's secret, or names its own access token as the actor token, which spares a call
the time that a secret takes to check.
"""

import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from hashlib import sha256

from domain.database import Database
from domain.errors import Refusal
from domain.guard.commands import see_device
from domain.members.model import IdentifierRef, Member, MemberRef, MemberStatus
from domain.members.queries import resolve
from domain.programs.catalogue import Catalogue
from resolvers.viewer import ALLOWED_SCOPES, DEFAULT_SCOPES, InvalidToken, Scope, Verifier, Viewer
from server.access.errors import OAuthError

GRANT = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105
MEMBER_NUMBER = "urn:tessera:token-type:member-number"
IDENTIFIER = "urn:tessera:token-type:identifier:"
"""Before the identifier's type, such as CARD; its issuer, where the type does not tell, is `subject_issuer`."""

OFFLINE_ACCESS = "offline_access"
"""What is asked for beside scopes by who wants to renew the token (OpenID Connect Core, section 11)."""
LONGEST_DEVICE = 200
"""Characters of what a merchant's app calls the device or installation that it runs on (`device`)."""

WITHHELD = frozenset({Scope.POINTS_SPEND, Scope.POINTS_TRANSFER, Scope.POINTS_EXCHANGE, Scope.IDENTIFIERS_READ})
WITHHELD |= {Scope.MEMBERS_CLOSE, Scope.MEMBERS_EXPORT, Scope.IDENTIFIERS_WRITE}
"""What a member's token is good for only where the merchant's own is."""


def actor_of(verifier: Verifier, form: Mapping[str, str]) -> Viewer | None:
    """Who acts by the actor token of this form, if it has one. Raises OAuthError if it is no good."""
    if "actor_token" not in form:
        return None
    if form.get("actor_token_type") != ACCESS_TOKEN:
        raise OAuthError("invalid_request", f"actor_token_type must be {ACCESS_TOKEN}")
    try:
        return verifier.verify(form["actor_token"])
    except InvalidToken as error:
        raise OAuthError("invalid_request", f"actor_token: {error}") from None


class MemberExchange:
    """Finds the member whom a merchant signs in."""

    def __init__(self, database: Database, catalogue: Callable[[], Catalogue]) -> None:
        self._database = database
        self._catalogue = catalogue

    async def member(self, actor: Viewer, form: Mapping[str, str]) -> tuple[Viewer, bool]:
        """The member that `form` names, as a viewer through the actor's client; whether they stay signed in.

        Raises OAuthError. One that never joined the actor's merchant is as one that is not there.
        """
        if actor.merchant_id is None or Scope.MEMBERS_SIGN_IN not in actor.scopes:
            raise OAuthError("unauthorized_client", f"this is for merchants' clients with {Scope.MEMBERS_SIGN_IN}")
        if form.get("requested_token_type", ACCESS_TOKEN) != ACCESS_TOKEN:
            raise OAuthError("invalid_request", f"requested_token_type can only be {ACCESS_TOKEN}")
        scopes, stays = narrowed(actor, form.get("scope"))
        member_id = await self._found(actor.merchant_id, _subject(form))
        device_id = await self.device(actor.merchant_id, member_id, form.get("device"))
        return Viewer("member", actor.client_id, member_id, None, member_id, scopes, device_id), stays

    async def device(self, merchant_id: uuid.UUID, member_id: uuid.UUID, name: str | None) -> uuid.UUID | None:
        """The device that the member is signed in from, where the merchant says which. It is new the first time."""
        if name is None:
            return None
        if len(name) > LONGEST_DEVICE:
            raise OAuthError("invalid_request", f"device has at most {LONGEST_DEVICE} characters")
        digest = sha256(member_id.bytes + name.encode()).digest()
        async with self._database.transaction() as session:
            return await see_device(session, member_id, merchant_id, digest, datetime.now(UTC))

    async def _found(self, merchant_id: uuid.UUID, ref: MemberRef) -> uuid.UUID:
        catalogue = self._catalogue()
        async with self._database.session() as session:
            [found] = await resolve(session, catalogue, [(catalogue.merchants_by_id[merchant_id].code, ref)])
            if isinstance(found, Refusal) or not found.joined:
                nobody = "subject_token: no member of this merchant is known by it"
                raise OAuthError("invalid_request", nobody, unknown=True)
            member = await session.get_one(Member, found.member_id)
        if member.status == MemberStatus.CLOSED:
            raise OAuthError("invalid_request", "subject_token: the member has left")
        return member.id


def _subject(form: Mapping[str, str]) -> MemberRef:
    """What the subject token says of a member."""
    value, kind = form.get("subject_token"), form.get("subject_token_type", "")
    if value is None:
        raise OAuthError("invalid_request", "subject_token is missing")
    if kind == MEMBER_NUMBER:
        return value
    if kind.startswith(IDENTIFIER):
        return IdentifierRef(kind.removeprefix(IDENTIFIER), form.get("subject_issuer"), value)
    raise OAuthError("invalid_request", f"subject_token_type must be {MEMBER_NUMBER} or begin with {IDENTIFIER}")


def narrowed(actor: Viewer, asked: str | None) -> tuple[frozenset[str], bool]:
    """What was asked for, or else what members may; never to move or see what the actor itself may not.

    And whether `offline_access` was asked for: a session that can be renewed.
    """
    withheld = WITHHELD - actor.scopes
    words = {OFFLINE_ACCESS} if asked is None else set(asked.split())
    scopes = frozenset(words - {OFFLINE_ACCESS})
    if words == {OFFLINE_ACCESS}:
        return DEFAULT_SCOPES["member"] - withheld, asked is not None
    if not scopes or not scopes <= ALLOWED_SCOPES["member"] - withheld:
        raise OAuthError("invalid_scope", "the member's token cannot have this scope")
    return scopes, OFFLINE_ACCESS in words
