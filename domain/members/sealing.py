"""Identifiers as they lie in the database: a keyed hash, by which they are looked up, and the value sealed for its
member (L7). Whoever reads the tables without our keys learns types and issuers, and nothing to dial or to write to.
"""

from binascii import b2a_base64
from collections.abc import Collection, Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from domain.members.rules import IdentifierKey
from domain.privacy.vault import Vault, seal_many, vault_of


def hashed(session: AsyncSession | AsyncConnection, key: IdentifierKey) -> str:
    """What an identifier is looked up by: 22 characters."""
    return hash_of(vault_of(session), key)


def hash_of(vault: Vault, key: IdentifierKey) -> str:
    """The same, by the vault itself."""
    type_, issuer, value = key
    return b2a_base64(vault.digest(f"identifier\0{type_}\0{issuer}", value))[:22].decode()


def field_of(type_: str, issuer: str) -> str:
    """The field that an identifier is sealed for."""
    return f"identifier\0{type_}\0{issuer}"


def key_columns(session: AsyncSession, keys: Collection[IdentifierKey]) -> dict[str, list[str]]:
    """Keys of identifiers as the columns that statements unnest: of values, their hashes."""
    return {
        "types": [type_ for type_, _, _ in keys],
        "issuers": [issuer for _, issuer, _ in keys],
        "values": [hashed(session, key) for key in keys],
    }


async def sealed_column(session: AsyncSession, links: Sequence[tuple[UUID, IdentifierKey]]) -> list[bytes]:
    """The values of these identifiers, each sealed for its member."""
    return await seal_many(session, [(holder, field_of(key[0], key[1]), key[2]) for holder, key in links])
