"""What `tessera verify` proves of archives: that each is what was signed."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.archive.model import LEAVES_OF, SUMS_OF, note_text
from alliance.proofs.notes import BadNote, PublicKey, read_note
from alliance.proofs.verify import public_keys_of
from domain.ledger.verify import Difference, Proof

CHECKS = {
    "an archived sum has its run": """
        SELECT x.holder_id, x.currency AS kind, '' AS currency, x.run AS kept, 0 AS proved
        FROM archived_sum x LEFT JOIN archive_run r ON r.number = x.run WHERE r.number IS NULL""",
}
"""See `domain.ledger.checks`."""

WHOLE = {
    "an archived leaf has its run": """
        SELECT holder_id, operation_id::text AS kind, '' AS currency, archived_by AS kept, 0 AS proved
        FROM log_leaf WHERE archived_by IS NOT NULL AND archived_by NOT IN (SELECT number FROM archive_run)""",
}
"""The same, of tables that do not lie by holder."""

_NOBODY = "00000000-0000-0000-0000-000000000000"


async def verify_archive(session: AsyncSession, proof: Proof) -> None:
    """Add to the proof each run whose leaves, sums or facts are not what was signed."""
    keys = await public_keys_of(session)
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
