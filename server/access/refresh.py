"""Refresh tokens: which session, which generation, and an HMAC. Nothing of them is kept."""

import base64
import binascii
import hmac
import struct
import uuid
from typing import NamedTuple

from domain.sessions.model import SignIn

_FIELDS = struct.Struct(">16s16sI")


class Refresh(NamedTuple):
    """What a refresh token says."""

    holder_id: uuid.UUID
    session_id: uuid.UUID
    generation: int


def refresh_token(secret: bytes, row: SignIn) -> str:
    """The token that renews a session once."""
    packed = _FIELDS.pack(row.holder_id.bytes, row.id.bytes, row.generation)
    return base64.urlsafe_b64encode(packed + _mac(secret, packed)).rstrip(b"=").decode()


def read_refresh(secret: bytes, token: str) -> Refresh | None:
    """What a token says; None if it is none of ours."""
    try:
        read = base64.urlsafe_b64decode(token[:200] + "=" * (-len(token) % 4))
    except (ValueError, binascii.Error):
        return None
    packed, mac = read[: _FIELDS.size], read[_FIELDS.size :]
    if len(packed) < _FIELDS.size or not hmac.compare_digest(mac, _mac(secret, packed)):
        return None
    holder, session, generation = _FIELDS.unpack(packed)
    return Refresh(uuid.UUID(bytes=holder), uuid.UUID(bytes=session), generation)


def _mac(secret: bytes, packed: bytes) -> bytes:
    return hmac.digest(secret, b"tessera refresh token" + packed, "sha256")
