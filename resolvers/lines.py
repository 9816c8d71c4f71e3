"""Ids of lines: the same to both parties, telling them nothing of the member or of other lines of the operation."""

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from functools import lru_cache, partial
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from alliance.clearing.model import Obligation
from alliance.disputes.rules import Place
from domain.errors import NotFound
from resolvers import ids
from resolvers.context import Context

LENGTH = 34
"""Bytes of a line's place: holder, operation, number."""


@lru_cache(maxsize=4)
def _cipher(secret: bytes) -> AESSIV:
    return AESSIV(hmac.digest(secret, b"ids of lines", "sha512"))


def line_id(context: Context, row: Obligation) -> str:
    """Names a line, the same to its two parties, and tells them nothing of the member or the operation."""
    place = row.holder_id.bytes + row.operation_id.bytes + row.seq.to_bytes(2)
    sealed = _cipher(context.house.fingerprint_secret).encrypt(place, None)
    return urlsafe_b64encode(sealed).rstrip(b"=").decode()


def place_of(context: Context, line: str, path: tuple[str, ...]) -> Place:
    """Where a line lies. Raises NotFound for what was never the id of one."""
    try:
        return _opened(context, line)
    except ValueError:
        raise NotFound(what="line", path=path) from None


def in_cursor(context: Context) -> Callable[[str], Place]:
    """Reads a line's id in a cursor: a page says no more of the lines at its ends than the lines themselves do."""
    return partial(_opened, context)


def _opened(context: Context, line: str) -> Place:
    """Raises ValueError."""
    try:
        sealed = urlsafe_b64decode(line[: ids.MAX_LENGTH].encode("ascii") + b"=" * (-len(line) % 4))
        raw = _cipher(context.house.fingerprint_secret).decrypt(sealed, None)
    except InvalidTag:
        raise ValueError("not sealed by us") from None
    if len(raw) != LENGTH:
        raise ValueError("not the id of a line")
    return UUID(bytes=raw[:16]), UUID(bytes=raw[16:32]), int.from_bytes(raw[32:])
