"""Sealing what is a person's own, opening it, and the keyed hash by which it is looked up.

AES-256-GCM (NIST SP 800-38D) under a key a holder, which lies in the database wrapped by one of the process's wrapping
keys. What is sealed is bound to its holder and field: moved elsewhere it does not open. A sealed text is a version
byte, a nonce of 12 random bytes, and the ciphertext with its tag. Many in, many out: one statement to open, one or two
to seal.
"""

import hmac
import os
from collections.abc import Iterable, Sequence
from functools import cached_property, lru_cache
from hashlib import blake2b
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from domain.errors import NotFound
from domain.privacy.errors import WrongKeys
from domain.privacy.keys import KEY_BYTES, KeyProvider

SESSION_KEY = "vault"
"""Under which name sessions and engines carry their vault."""

UNWRAPPED_KEPT = 20_000
DIGEST_BYTES = 16
"""128 bits of BLAKE2b with a key (RFC 7693): two of a billion identifiers meet with a chance of 1 in 10^21."""

_VERSION = b"\x01"
_NONCE_BYTES = 12
_HEAD = len(_VERSION) + _NONCE_BYTES

Wrapped = tuple[str, bytes]
"""A holder's key: the id of the wrapping key, and what it made of it."""


class Vault:
    """The cryptography of one process; no database. Keys that were unwrapped are kept, a bounded number of them."""

    def __init__(self, keys: KeyProvider, kept: int = UNWRAPPED_KEPT) -> None:
        self._keys = keys
        self._cipher = lru_cache(maxsize=kept)(self._unwrapped)
        self._wrapper = lru_cache(maxsize=16)(AESGCM)

    @cached_property
    def _hash_key(self) -> bytes:
        return hmac.digest(self._keys.lookup(), b"look up", "sha512")

    def digest(self, kind: str, value: str) -> bytes:
        """The keyed hash of a text of that kind: the same for the same text, and nothing to those without the key."""
        return blake2b(f"{kind}\0{value}".encode(), digest_size=DIGEST_BYTES, key=self._hash_key).digest()

    def mark(self) -> bytes:
        """What only this look-up secret gives."""
        return hmac.digest(self._keys.lookup(), b"check\0", "sha256")[:DIGEST_BYTES]

    def fresh(self, holders: Sequence[UUID]) -> list[Wrapped]:
        """A new key for each of these holders, wrapped."""
        newest = self._keys.wrapping()[-1]
        wrapper = self._wrapper(newest.secret)
        entropy = os.urandom((KEY_BYTES + _NONCE_BYTES) * len(holders))
        made = []
        for place, holder_id in enumerate(holders):
            start = place * (KEY_BYTES + _NONCE_BYTES)
            nonce_at, end = start + KEY_BYTES, start + KEY_BYTES + _NONCE_BYTES
            made.append((newest.id, _wrap(wrapper, entropy[start:nonce_at], entropy[nonce_at:end], holder_id)))
        return made

    def rewrapped(self, holder_id: UUID, key: Wrapped) -> Wrapped:
        """The same key of a holder, wrapped by the newest wrapping key."""
        newest = self._keys.wrapping()[-1]
        raw = self._raw(holder_id, *key)
        return newest.id, _wrap(self._wrapper(newest.secret), raw, os.urandom(_NONCE_BYTES), holder_id)

    def newest(self) -> str:
        """The id of the wrapping key that is used now."""
        return self._keys.wrapping()[-1].id

    def seal(self, holder_id: UUID, key: Wrapped, field: str, value: str) -> bytes:
        """A text, sealed under a holder's key for this field."""
        nonce = os.urandom(_NONCE_BYTES)
        return _VERSION + nonce + self._cipher(holder_id, *key).encrypt(nonce, value.encode(), _bound(holder_id, field))

    def open(self, holder_id: UUID, key: Wrapped | None, field: str, sealed: bytes) -> str | None:
        """The text; None if the key is no more. Raises ValueError for what was not sealed so."""
        if key is None:
            return None
        if sealed[:1] != _VERSION:
            raise ValueError("sealed in a way that is not known")
        cipher, nonce = self._cipher(holder_id, *key), sealed[1:_HEAD]
        try:
            return cipher.decrypt(nonce, sealed[_HEAD:], _bound(holder_id, field)).decode()
        except InvalidTag:
            raise ValueError(f"not sealed by this holder for the field {field}") from None

    def _unwrapped(self, holder_id: UUID, wrapped_by: str, wrapped: bytes) -> AESGCM:
        return AESGCM(self._raw(holder_id, wrapped_by, wrapped))

    def _raw(self, holder_id: UUID, wrapped_by: str, wrapped: bytes) -> bytes:
        """Raises WrongKeys if the wrapping key is not there, or is another."""
        wrapping = next((key for key in self._keys.wrapping() if key.id == wrapped_by), None)
        if wrapping is None:
            raise WrongKeys(f"the wrapping key {wrapped_by} is not among the keys of this process")
        try:
            return self._wrapper(wrapping.secret).decrypt(
                wrapped[:_NONCE_BYTES], wrapped[_NONCE_BYTES:], _bound(holder_id, "key")
            )
        except InvalidTag:
            raise WrongKeys(f"the key of {holder_id} was not wrapped by {wrapped_by}") from None


def _wrap(wrapper: AESGCM, key: bytes, nonce: bytes, holder_id: UUID) -> bytes:
    return nonce + wrapper.encrypt(nonce, key, _bound(holder_id, "key"))


def _bound(holder_id: UUID, field: str) -> bytes:
    """The associated data: whose it is, and what."""
    return holder_id.bytes + field.encode()


def vault_of(session: AsyncSession | AsyncConnection) -> Vault:
    """The vault of whoever opened this session. Raises WrongKeys for one that was opened without keys."""
    if isinstance(session, AsyncSession):
        vault: Vault | None = session.info.get(SESSION_KEY)
    else:
        assert session.sync_connection is not None
        vault = session.sync_connection.get_execution_options().get(SESSION_KEY)
    if vault is None:
        raise WrongKeys("this database was opened without keys")
    return vault


def digest(session: AsyncSession | AsyncConnection, kind: str, value: str) -> bytes:
    """The keyed hash by which a text of that kind is looked up: 16 bytes."""
    return vault_of(session).digest(kind, value)


async def seal_many(session: AsyncSession, items: Sequence[tuple[UUID, str, str]]) -> list[bytes]:
    """Texts, each sealed for its (holder, field); a holder without a key is given one.

    Raises NotFound for a holder whose key was destroyed.
    """
    if not items:
        return []
    vault = vault_of(session)
    holders = {holder_id for holder_id, _, _ in items}
    keys = await keys_of(session, holders)
    if missing := sorted(holders - keys.keys()):
        keys |= await _made(session, vault, missing)
    sealed = []
    for holder_id, field, value in items:
        key = keys[holder_id]
        if key is None:
            raise NotFound(what="member", path=("member",))
        sealed.append(vault.seal(holder_id, key, field, value))
    return sealed


async def open_many(session: AsyncSession, items: Sequence[tuple[UUID, str, bytes]]) -> list[str | None]:
    """The texts of what was sealed for (holder, field), in order; None where the key is destroyed."""
    if not items:
        return []
    vault = vault_of(session)
    keys = await keys_of(session, {holder_id for holder_id, _, _ in items})
    return [vault.open(holder_id, keys.get(holder_id), field, sealed) for holder_id, field, sealed in items]


_KEYS = text("SELECT holder_id, wrapped_by, wrapped FROM member_key WHERE holder_id = ANY(CAST(:holders AS uuid[]))")

# A row that another transaction made meanwhile is locked and answered as it is: both seal under one key.
_MAKE = text("""
    INSERT INTO member_key (holder_id, wrapped_by, wrapped)
    SELECT * FROM unnest(CAST(:holders AS uuid[]), CAST(:by AS text[]), CAST(:wrapped AS bytea[]))
    ON CONFLICT (holder_id) DO UPDATE SET holder_id = excluded.holder_id
    RETURNING holder_id, wrapped_by, wrapped
""")


async def keys_of(session: AsyncSession, holders: Iterable[UUID]) -> dict[UUID, Wrapped | None]:
    """The keys of those of these holders who have one; None: it was destroyed."""
    rows = await session.execute(_KEYS, {"holders": list(holders)})
    return {holder_id: None if wrapped is None else (by, wrapped) for holder_id, by, wrapped in rows}


async def _made(session: AsyncSession, vault: Vault, holders: Sequence[UUID]) -> dict[UUID, Wrapped | None]:
    """Give these holders, sorted, a key each."""
    fresh = vault.fresh(holders)
    columns = {"holders": holders, "by": [by for by, _ in fresh], "wrapped": [wrapped for _, wrapped in fresh]}
    rows = await session.execute(_MAKE, columns)
    return {holder_id: None if wrapped is None else (by, wrapped) for holder_id, by, wrapped in rows}
