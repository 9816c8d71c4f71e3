"""Short ways to ask the ledger for things, with the defaults that most tests want."""

import uuid
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import asyncpg

from domain.base import new_id
from domain.database import Database
from domain.ledger.commands import Earn, Exchange, Expire, Redeem, Reverse
from domain.ledger.request import Key

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
CLIENT = uuid.UUID(int=7)
ISSUERS = {"GRO": uuid.UUID(int=101), "FUE": uuid.UUID(int=102)}


def key(value: str | None = None, fingerprint: bytes = b"same") -> Key:
    """A key of the test's client; a new one unless named."""
    return Key(CLIENT, CLIENT, value or uuid.uuid4().hex, fingerprint)


def _common(named: dict[str, Any]) -> dict[str, Any]:
    as_of = named.pop("as_of", NOON)
    return {"key": key(), "client_id": CLIENT, "as_of": as_of, "occurred_at": as_of} | named


def earn(holder_id: uuid.UUID, points: int, currency: str = "GRO", **named: Any) -> Earn:
    """An earn at the currency's own issuer."""
    issuer = ISSUERS[currency]
    place = {"merchant_id": issuer, "issuer_id": issuer, "funder_id": issuer}
    return Earn(holder_id=holder_id, points=points, currency=currency, **place, **_common(named))


def redeem(holder_id: uuid.UUID, points: int, currency: str = "GRO", **named: Any) -> Redeem:
    """A redemption at the currency's own issuer."""
    issuer = ISSUERS[currency]
    return Redeem(
        holder_id=holder_id, points=points, currency=currency, merchant_id=issuer, issuer_id=issuer, **_common(named)
    )


def exchange(holder_id: uuid.UUID, points: int, into_points: int, **named: Any) -> Exchange:
    """GRO to FUE."""
    return Exchange(
        holder_id=holder_id,
        merchant_id=ISSUERS["GRO"],
        currency="GRO",
        issuer_id=ISSUERS["GRO"],
        points=points,
        into_currency="FUE",
        into_issuer_id=ISSUERS["FUE"],
        into_points=into_points,
        **_common(named),
    )


def reverse(holder_id: uuid.UUID, operation_id: uuid.UUID | None, **named: Any) -> Reverse:
    """A reversal of the whole operation."""
    assert operation_id is not None
    return Reverse(holder_id=holder_id, operation_id=operation_id, **_common(named))


def expire(holder_id: uuid.UUID, currency: str = "GRO", **named: Any) -> Expire:
    """The expiry of one wallet."""
    return Expire(holder_id=holder_id, currency=currency, issuer_id=ISSUERS[currency], **_common(named))


def members(count: int) -> list[uuid.UUID]:
    """Ids of members that nobody enrolled: the ledger alone asks for no status."""
    return [new_id() for _ in range(count)]


async def rows(database: Database, sql: str, *arguments: Any) -> list[asyncpg.Record]:
    """What a query finds, over a connection of its own."""
    connection = await database.connect()
    try:
        found: list[asyncpg.Record] = await connection.fetch(sql, *arguments)
        return found
    finally:
        await connection.close()


async def posted(database: Database, holders: Iterable[uuid.UUID]) -> dict[tuple[uuid.UUID, str], int]:
    """The accounts of these holders: (holder, currency) to points."""
    found = await rows(
        database, "SELECT holder_id, currency, posted FROM account WHERE holder_id = ANY($1)", [*holders]
    )
    return {(row["holder_id"], row["currency"]): row["posted"] for row in found}
