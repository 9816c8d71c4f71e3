"""Global ids: opaque to clients. They carry the kind of thing, the holder it lies under, and its own id.

The holder is in there so that a thing is found by the first column of its primary key, wherever it lies.
"""

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from functools import lru_cache
from uuid import UUID

from domain.errors import NotFound

MAX_LENGTH = 200


@lru_cache(maxsize=4096)
def _encode_text(kind: str, text: str) -> str:
    return _encode(kind, text.encode())


def _encode(kind: str, raw: bytes) -> str:
    return urlsafe_b64encode(kind.encode() + b":" + raw).rstrip(b"=").decode()


def encode(kind: str, holder_id: UUID, *own: UUID | str) -> str:
    """The id of a thing of this kind under a holder; `own` is its own id, or its code, if it has one."""
    raw = holder_id.bytes
    for part in own:
        raw += part.bytes if isinstance(part, UUID) else part.encode()
    return _encode(kind, raw)


def encode_code(kind: str, code: str) -> str:
    """The id of a thing known by a code, such as a merchant."""
    return _encode_text(kind, code)


def decode(global_id: str) -> tuple[str, bytes]:
    """Kind, and the bytes after it. Raises NotFound for what was never one of our ids."""
    if len(global_id) > MAX_LENGTH:
        raise NotFound(what="id")
    try:
        raw = urlsafe_b64decode(global_id.encode("ascii") + b"=" * (-len(global_id) % 4))
        kind, separator, rest = raw.partition(b":")
        if not separator:
            raise NotFound(what="id")
        return kind.decode("ascii"), rest
    except (ValueError, binascii.Error):
        raise NotFound(what="id") from None


def decode_as(kind: str, global_id: str, parts: int) -> tuple[UUID, ...]:
    """The `parts` UUIDs of an id of this kind. Raises NotFound if it is another kind of id, or none."""
    found, rest = decode(global_id)
    if found != kind or len(rest) != 16 * parts:
        raise NotFound(what=kind.lower())
    return tuple(UUID(bytes=rest[at : at + 16]) for at in range(0, len(rest), 16))
