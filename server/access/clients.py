"""Making clients, and tokens for trying things out."""

import uuid
from collections.abc import Collection
from datetime import UTC, datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.base import new_id
from domain.errors import InvalidInput, NotFound
from domain.members.queries import by_numbers
from domain.programs.model import MerchantRow
from domain.sessions.commands import revoke
from resolvers.viewer import ALLOWED_SCOPES, DEFAULT_SCOPES, Kind, Viewer
from server.access.model import OAuthClient
from server.access.secrets import hash_secret, new_secret
from server.access.tokens import MEMBER_LIFETIME, issue_token

TRIAL_CLIENT = uuid.UUID("00000000-0000-7000-8000-7e55e7a00000")
"""The client that trial tokens say they are of."""


async def create_client(
    session: AsyncSession,
    name: str,
    kind: str,
    merchant: str | None = None,
    scopes: Collection[str] | None = None,
    *,
    public: bool = False,
) -> tuple[uuid.UUID, str]:
    """A new client (`kind`: merchant, operator or auditor) and its secret, which is kept nowhere.

    `merchant` is a code, for kind merchant only. A `public` one, a merchant's app, has no secret: it is empty.
    Raises InvalidInput, NotFound.
    """
    if public and kind != "merchant":
        raise InvalidInput(reason="a public client is of kind merchant", path=("public",))
    if kind not in ALLOWED_SCOPES or kind == "member":
        raise InvalidInput(reason="a client is of kind merchant, operator or auditor", path=("kind",))
    merchant_id = await _merchant_id(session, kind, merchant)
    secret = "" if public else new_secret()
    client = OAuthClient(
        id=new_id(),
        name=name,
        kind=kind,
        merchant_id=merchant_id,
        scopes=sorted(_scopes(kind, scopes)),
        secret_hash=None if public else hash_secret(secret),
    )
    session.add(client)
    await session.flush()
    return client.id, secret


async def disable_client(session: AsyncSession, client_id: uuid.UUID) -> None:
    """Let a client call no more: its tokens, and its members' through it, are revoked. Raises NotFound."""
    client = await session.get(OAuthClient, client_id)
    if client is None:
        raise NotFound(what="client", path=("id",))
    if client.disabled_at is None:
        client.disabled_at = datetime.now(UTC)
        await revoke(session, client_id)


async def trial_token(
    session: AsyncSession,
    secret: bytes,
    kind: str,
    *,
    merchant: str | None = None,
    member: str | None = None,
    scopes: Collection[str] | None = None,
    lifetime: int = MEMBER_LIFETIME,
) -> str:
    """A token for trying out, of no client. `merchant` is a code, `member` a number. Raises InvalidInput, NotFound."""
    if kind not in ALLOWED_SCOPES:
        raise InvalidInput(reason=f"a viewer is of kind {', '.join(ALLOWED_SCOPES)}", path=("kind",))
    merchant_id = await _merchant_id(session, kind, merchant)
    member_id = await _member_id(session, kind, member)
    viewer = Viewer(
        kind=kind,
        client_id=TRIAL_CLIENT,
        subject=member_id or merchant_id or TRIAL_CLIENT,
        merchant_id=merchant_id,
        member_id=member_id,
        scopes=_scopes(kind, scopes),
    )
    return issue_token(secret, viewer, lifetime=lifetime)


def _scopes(kind: Kind, asked: Collection[str] | None) -> frozenset[str]:
    """What a client of this kind gets: the default, or what was asked for if it may be given."""
    if asked is None:
        return DEFAULT_SCOPES[kind]
    refused = sorted(set(asked) - ALLOWED_SCOPES[kind])
    if refused:
        raise InvalidInput(reason=f"kind {kind} cannot have scope {', '.join(refused)}", path=("scopes",))
    return frozenset(asked)


async def _merchant_id(session: AsyncSession, kind: str, code: str | None) -> uuid.UUID | None:
    """The merchant that a client of kind merchant, and no other, is of."""
    if (kind == "merchant") != (code is not None):
        raise InvalidInput(reason="kind merchant, and no other, needs a merchant", path=("merchant",))
    if code is None:
        return None
    merchant_id = await session.scalar(select(MerchantRow.id).where(MerchantRow.code == code))
    if merchant_id is None:
        raise NotFound(what=f"merchant {code!r}", path=("merchant",))
    return merchant_id


async def _member_id(session: AsyncSession, kind: str, number: str | None) -> uuid.UUID | None:
    """The member that a token of kind member, and no other, signs in."""
    if (kind == "member") != (number is not None):
        raise InvalidInput(reason="kind member, and no other, needs a member", path=("member",))
    if number is None:
        return None
    found = await by_numbers(session, [number])
    if number not in found:
        raise NotFound(what=f"member {number!r}", path=("member",))
    return found[number].id
