"""The proof of statements: what was signed against what the cycle comes to, and lines against their leaves."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.proofs.canonical import SALT_SIZE
from alliance.proofs.leaves import OBLIGATION
from alliance.proofs.lines import commitments, entry_with_lines
from alliance.proofs.notes import BadNote, PublicKey
from alliance.proofs.verify import public_keys_of
from alliance.statements.rules import micro
from alliance.statements.signature import read_signed
from domain.ledger.merkle import leaf_hash
from domain.ledger.verify import Difference, Progress, Proof, quiet

CHUNK = 5000

_COLUMNS = ", ".join(f"b.{column}" for column in OBLIGATION.names)
_LEAVES = text(f"""
    SELECT l."index" AS place, l.holder_id, l.operation_id, l.salt, l.rest, substr(l.hashes, 1, 32) AS hash,
           (SELECT coalesce(json_agg(r ORDER BY b.seq), '[]')::text
            FROM obligation b CROSS JOIN LATERAL (SELECT {_COLUMNS}) AS r
            WHERE b.holder_id = l.holder_id AND b.operation_id = l.operation_id) AS owed
    FROM log_leaf l WHERE l."index" > :last AND l.rest IS NOT NULL AND l.operation_id NOT IN
        (SELECT target_id FROM repair)
    ORDER BY l."index" LIMIT :size""")  # noqa: S608 - our own names

_SIGNATURES = text("""
    SELECT s.cycle_id, s.merchant_id, s.note, c.number,
           coalesce((SELECT code FROM merchant m WHERE m.id = s.merchant_id),
                    (SELECT code FROM alliance a WHERE a.id = s.merchant_id)) AS merchant,
           coalesce(sum(p.count), 0) AS lines,
           coalesce(sum(CASE WHEN p.first_id = s.merchant_id THEN p.lines + p.adjustments
                             ELSE -p.lines - p.adjustments END), 0) AS amount
    FROM statement_signature s
    JOIN settlement_cycle c ON c.id = s.cycle_id
    LEFT JOIN pair_net p ON p.cycle_id = s.cycle_id AND s.merchant_id IN (p.first_id, p.second_id)
    GROUP BY s.cycle_id, s.merchant_id, s.note, c.number""")


async def verify_statements(session: AsyncSession, proof: Proof, progress: Progress = quiet) -> None:
    """Add to the proof each signature that is not of its statement, and each leaf that does not prove its lines.

    Lines of archived operations are proved here, and nowhere else.
    """
    await _signatures(session, proof)
    total = (await session.execute(text("SELECT count(*) FROM log_leaf WHERE rest IS NOT NULL"))).scalar_one()
    last, done = -1, 0
    while leaves := (await session.execute(_LEAVES, {"last": last, "size": CHUNK})).all():
        for leaf in leaves:
            owed = orjson.loads(leaf.owed)
            entry = entry_with_lines(leaf.rest, commitments(owed, leaf.salt[SALT_SIZE:]))
            if leaf_hash(entry) != leaf.hash:
                _differ(proof, "lines are those of their leaf", leaf.holder_id, f"{leaf.operation_id}", len(owed))
        last, done = leaves[-1].place, done + len(leaves)
        progress("lines of leaves", done, total)


async def _signatures(session: AsyncSession, proof: Proof) -> None:
    keys = await public_keys_of(session)
    for row in (await session.execute(_SIGNATURES)).all():
        if not _is_of(row, keys):
            _differ(proof, "signature is of its statement", row.merchant_id, f"cycle {row.number}", int(row.lines))


def _is_of(row: Any, keys: Sequence[PublicKey]) -> bool:
    try:
        said, _ = read_signed(row.note, keys)
    except BadNote:
        return False
    is_ = (row.number, row.merchant, row.lines, micro(int(row.amount)))
    return (said.cycle, said.merchant, said.lines, said.sum) == is_


def _differ(proof: Proof, check: str, holder: UUID, what: str, kept: int) -> None:
    proof.add(Difference(check, str(holder), what, "", kept, 0))
