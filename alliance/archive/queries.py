"""Reading what was archived: proofs from a file, and what `tessera verify` proves of the runs."""

import gzip
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.archive.model import LEAVES_OF, SUMS_OF, note_text
from alliance.proofs.leaves import SALT_SIZE, canonical, salted_hash
from alliance.proofs.model import Inclusion, Leaf, LogLeaf
from alliance.proofs.notes import BadNote, PublicKey, read_note
from alliance.proofs.queries import inclusion_of, public_keys
from domain.ledger.merkle import leaf_hash
from domain.ledger.verify import Difference, Proof

CHECKS = {
    "an archived leaf or sum has its run": """
        SELECT x.holder_id, x.what AS kind, '' AS currency, x.run AS kept, 0 AS proved
        FROM (SELECT holder_id, operation_id::text AS what, archived_by AS run FROM log_leaf
              WHERE archived_by IS NOT NULL
              UNION ALL SELECT holder_id, currency, run FROM archived_sum) x
        LEFT JOIN archive_run r ON r.number = x.run WHERE r.number IS NULL""",
}
"""What one aggregate finds; see `domain.ledger.verify.verify`."""

_NOBODY = "00000000-0000-0000-0000-000000000000"


async def is_archived(session: AsyncSession, holder_id: UUID, operation_id: UUID) -> bool:
    """Whether an operation that is not here is in an archive."""
    query = select(LogLeaf.archived_by).where(LogLeaf.operation_id == operation_id, LogLeaf.holder_id == holder_id)
    return await session.scalar(query) is not None


async def verify_archive(session: AsyncSession, proof: Proof) -> None:
    """Add to the proof each run whose leaves, sums or facts are not what was signed."""
    keys = []
    for line in await public_keys(session):
        try:
            keys.append(PublicKey.parse(line))
        except BadNote:
            continue
    for run in (await session.execute(text("SELECT * FROM archive_run ORDER BY number"))).mappings().all():
        leaves = (await session.execute(text(LEAVES_OF.format(run=run["number"])))).all()
        sums = (await session.execute(text(SUMS_OF.format(run=run["number"])))).all()
        if len(leaves) != run["operations"] or not _signed(run, leaves, sums, keys):
            what = f"archive {run['number']}"
            proof.add(Difference("archive is what was signed", _NOBODY, what, "", len(leaves), run["operations"]))


def _signed(run: Any, leaves: Sequence[Any], sums: Sequence[Any], keys: Sequence[PublicKey]) -> bool:
    try:
        said, signers = read_note(run["note"], keys)
    except BadNote:
        return False
    return any(said == note_text(key.name, run, leaves, sums) for key in signers)


class NotInArchive(Exception):
    """The file does not hold the operation as it was sealed; the message says what is wrong."""


def find(file: Path, holder_id: UUID, operation_id: UUID) -> dict[str, Any]:
    """The line of an operation in an archive. Raises NotInArchive."""
    wanted = str(operation_id).encode()
    try:
        with gzip.open(file) as lines:
            for line in lines:
                if wanted not in line:
                    continue
                found: dict[str, Any] = orjson.loads(line)
                if (found["operationId"], found["holderId"]) == (str(operation_id), str(holder_id)):
                    return found
    except (OSError, EOFError, zlib.error, orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise NotInArchive(f"{file} is no archive, or is damaged: {error}") from None
    raise NotInArchive(f"{file} does not hold this operation")


async def inclusion(session: AsyncSession, found: dict[str, Any]) -> Inclusion:
    """The proof of an archived operation: its leaf from the file, its path from the log. Raises NotInArchive."""
    salt = bytes.fromhex(found["salt"])
    leaf = Leaf(found["leaf"], found["terms"], salt[:SALT_SIZE], salt[SALT_SIZE:])
    hashed = leaf_hash(salted_hash(leaf.salt, canonical(leaf.data)))
    terms = salted_hash(leaf.terms_salt, canonical(leaf.terms)).hex()
    made = await inclusion_of(session, found["index"], leaf)
    if made is None or made.leaf_hash != hashed or leaf.data.get("terms") != terms:
        raise NotInArchive("what the file holds is not what was sealed at that place")
    return made
