"""Signing: every statement that was issued, once, with the keys of the log."""

from collections.abc import Sequence
from hashlib import sha256
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.dialects.postgresql import insert

from alliance.proofs.notes import PrivateKey
from alliance.statements import queries
from alliance.statements.model import Head, StatementSignature
from alliance.statements.render import WRITERS
from alliance.statements.rules import Pseudonyms, micro
from alliance.statements.signature import KINDS, Signed, sign
from domain.database import Database
from domain.programs.catalogue import Catalogue, load_catalogue

_UNSIGNED = text("""
    SELECT c.number, s.merchant_id FROM settlement_cycle c JOIN statement s ON s.cycle_id = c.id
    WHERE c.number >= :first
      AND NOT EXISTS (SELECT FROM statement_signature x WHERE x.cycle_id = c.id AND x.merchant_id = s.merchant_id)
    ORDER BY c.number, s.merchant_id LIMIT :size""")

_ALL_SIGNED = text("""
    SELECT coalesce(min(number) FILTER (WHERE status IN ('OPEN', 'CLOSED')), max(number) + 1, 1)
    FROM settlement_cycle WHERE number >= :first""")

BLOCK = 100


async def sign_due(database: Database, keys: Sequence[PrivateKey], first: int = 1) -> tuple[int, int]:
    """Sign what was issued and is not signed, of cycles from `first` on; how many statements, and the first cycle of
    which more may come."""
    signed = 0
    async with database.reader() as session:
        following = int((await session.execute(_ALL_SIGNED, {"first": first})).scalar_one())
    catalogue: Catalogue | None = None
    while True:
        async with database.reader() as session:
            due = (await session.execute(_UNSIGNED, {"first": first, "size": BLOCK})).all()
            if due and catalogue is None:
                catalogue = await load_catalogue(session)
        if not due or catalogue is None:
            return signed, max(first, following)
        names = await queries.pseudonyms(database)
        for number, merchant_id in due:
            signed += await _sign(database, catalogue, names, keys, number, merchant_id)


async def _sign(
    database: Database,
    catalogue: Catalogue,
    names: Pseudonyms,
    keys: Sequence[PrivateKey],
    number: int,
    merchant_id: UUID,
) -> bool:
    """Write a statement's files to nowhere, and sign what they are; whether nobody had done so meanwhile."""
    async with database.reader() as session:
        head = await queries.head(session, catalogue, number, merchant_id)
    said = await summed(database, head, names, keys[0].name)
    row = {"cycle_id": head.cycle_id, "merchant_id": merchant_id, "note": sign(said, keys)}
    async with database.transaction() as session:
        fresh = insert(StatementSignature).values(row).on_conflict_do_nothing()
        done = await session.scalar(fresh.returning(StatementSignature.merchant_id))
    return done is not None


async def summed(database: Database, head: Head, names: Pseudonyms, log: str) -> Signed:
    """What is to be signed of a statement, in the name of a log: one pass over its lines."""
    writers = {kind: WRITERS[kind](head) for kind in KINDS}
    hashes = {kind: sha256(writer.begin()) for kind, writer in writers.items()}
    async for rows in queries.stretches(database, head):
        lines = queries.lines_of(head, rows, names)
        for kind, writer in writers.items():
            hashes[kind].update(writer.lines(lines))
    for kind, writer in writers.items():
        hashes[kind].update(writer.end())
    totals = writers[KINDS[0]].totals
    return Signed(
        log=log,
        alliance=head.alliance,
        cycle=head.cycle,
        merchant=head.merchant,
        lines=totals.count,
        sum=micro(totals.sum),
        currency=head.currency,
        hashes={kind: hashed.hexdigest() for kind, hashed in hashes.items()},
    )
