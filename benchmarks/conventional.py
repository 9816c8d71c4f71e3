"""The conventional way to earn points: an ORM transaction a request, row by row, on the same tables.

It is not careless: a pool of 16 connections, no hot row of the merchant, the member's account locked, the same ids,
indexes, rules and idempotency keys, and a commit that waits for the disk, as ours does.
"""

import hmac
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import make_url
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine

from domain.base import new_id
from domain.errors import NotFound
from domain.ledger.model import Account, AccountKind, Entry, IdempotencyKey, Lot, Operation, OperationKind
from domain.ledger.request import Posted
from domain.members.model import IdentifierOwner, Member
from domain.members.sealing import hash_of
from domain.money import to_minor
from domain.privacy.keys import KeyProvider
from domain.privacy.vault import Vault
from domain.programs.catalogue import Catalogue
from domain.programs.rules import expiry_instant, value_purchase
from resolvers.viewer import Viewer


class Shop:
    """Earns at its own merchants, in their own points."""

    def __init__(self, database_url: str, keys: KeyProvider, catalogue: Catalogue) -> None:
        self._vault = Vault(keys)
        url = make_url(database_url).set(drivername="postgresql+asyncpg")
        engine = create_async_engine(url, pool_size=16, max_overflow=0)
        self._transaction = async_sessionmaker(engine, expire_on_commit=False).begin
        self._catalogue = catalogue

    async def earn(self, viewer: Viewer, sent: Mapping[str, Any], as_of: datetime) -> Posted:
        """Points for an amount. Raises NotFound."""
        merchant = self._catalogue.merchants[sent["merchant"]]
        currency = self._catalogue.currencies[merchant.default_currency or ""]
        money = sent["amount"]["currency"]
        amount = to_minor(sent["amount"]["amount"], money)
        valued = value_purchase(merchant, currency.code, money, [(amount, None)], (), as_of)
        fingerprint = hmac.digest(b"secret", orjson.dumps({**sent, "channel": str(sent["channel"])}), "sha256")[:16]
        async with self._transaction() as session:
            key = (viewer.client_id, viewer.subject, sent["idempotencyKey"])
            known = await session.get(IdempotencyKey, key)
            if known is not None:
                return Posted(known.operation_id, known.holder_id, "EARN", known.points or 0, [], True)
            identifier = sent["member"]["identifier"]
            hashed = hash_of(self._vault, (identifier["type"], merchant.code, identifier["value"]))
            owner = await session.get(IdentifierOwner, (identifier["type"], merchant.code, hashed))
            if owner is None:
                raise NotFound(what="member", path=("member",))
            member = await session.get_one(Member, owner.holder_id)
            account_key = (member.id, AccountKind.POINTS.value, currency.code)
            account = await session.get(Account, account_key, with_for_update=True)
            if account is None:
                account = Account(holder_id=member.id, kind=AccountKind.POINTS, currency=currency.code, posted=0)
                session.add(account)
            account.posted += valued.points
            operation = Operation(
                holder_id=member.id,
                id=new_id(),
                kind=OperationKind.EARN.value,
                merchant_id=merchant.id,
                client_id=viewer.client_id,
                channel=sent["channel"].value,
                order_ref=sent.get("orderRef"),
                occurred_at=as_of,
                as_of=as_of,
                decisions=valued.decisions,
            )
            session.add(operation)
            session.add(
                Entry(
                    holder_id=member.id,
                    operation_id=operation.id,
                    seq=0,
                    account=AccountKind.POINTS.value,
                    currency=currency.code,
                    amount=valued.points,
                    counter_holder_id=merchant.id,
                    counter_account=AccountKind.ISSUANCE.value,
                    balance_after=account.posted,
                )
            )
            session.add(
                Lot(
                    holder_id=member.id,
                    id=new_id(),
                    currency=currency.code,
                    operation_id=operation.id,
                    issuer_id=merchant.id,
                    funder_id=merchant.id,
                    price=0,
                    granted=valued.points,
                    remaining=valued.points,
                    granted_at=as_of,
                    expires_at=expiry_instant(currency.policy_at(as_of).expiry, as_of, merchant.timezone),
                )
            )
            session.add(
                IdempotencyKey(
                    client_id=viewer.client_id,
                    subject=viewer.subject,
                    key=sent["idempotencyKey"],
                    fingerprint=fingerprint,
                    holder_id=member.id,
                    operation_id=operation.id,
                    points=valued.points,
                )
            )
        return Posted(operation.id, member.id, "EARN", valued.points, valued.decisions)
