"""What `tessera verify` proves of archives: that each is what was signed; and where its file is at hand, that it holds
the operations as they were sealed, that what is kept of them is their sums, and what is kept as owed is what they owed.
"""

import gzip
import hashlib
import zlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.archive.model import LEAVES_OF, SUMS_OF, note_text
from alliance.proofs.canonical import canonical
from alliance.proofs.leaves import obligations
from alliance.proofs.lines import lines_as_sealed
from alliance.proofs.notes import BadNote, PublicKey, read_note
from alliance.proofs.queries import driver
from alliance.proofs.verify import CHUNK, public_keys_of
from domain.ledger.verify import Difference, Progress, Proof, quiet

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
_LEAVES = text("""
    SELECT "index" AS place, holder_id, operation_id, salt, substr(hashes, 1, 32) AS hash FROM log_leaf
    WHERE "index" = ANY(:places) AND archived_by = :run""")


async def verify_archive(
    session: AsyncSession, proof: Proof, folders: Sequence[Path] = (), progress: Progress = quiet
) -> None:
    """Add to the proof each run whose leaves, sums or facts are not what was signed, and what differs in its file.

    Without `folders` no file is read, and the proof says which those are.
    """
    keys = await public_keys_of(session)
    runs = (await session.execute(text("SELECT * FROM archive_run ORDER BY number"))).mappings().all()
    total = sum(run["operations"] for run in runs)
    for run in runs:
        leaves = (await session.execute(text(LEAVES_OF.format(run=run["number"])))).all()
        sums = (await session.execute(text(SUMS_OF.format(run=run["number"])))).all()
        if len(leaves) != run["operations"] or not _signed(run, leaves, sums, keys):
            what = f"archive {run['number']}"
            proof.add(Difference("archive is what was signed", _NOBODY, what, "", len(leaves), run["operations"]))
        if folders:
            await _File(session, proof, run).verify(folders, sums)
        else:
            proof.unread.append(run["file"])
        proof.archived += run["operations"]
        progress("archived operations", proof.archived, total)


class _File:
    """The file of a run, against the run, the log and the obligations."""

    def __init__(self, session: AsyncSession, proof: Proof, run: Any) -> None:
        self._session = session
        self._proof = proof
        self._run = run
        self._moved: list[tuple[str, str, str | None, list[dict[str, Any]]]] = []

    async def verify(self, folders: Sequence[Path], sums: Sequence[Any]) -> None:
        """Add to the proof what differs; the file is looked for in each of the folders."""
        file = next((folder / self._run["file"] for folder in folders if (folder / self._run["file"]).exists()), None)
        if file is None:
            self._differ("file of an archive is there", _NOBODY, self._run["file"], 0, self._run["operations"])
            return
        count = 0
        try:
            with file.open("rb") as raw:
                if hashlib.file_digest(raw, "sha256").digest() != self._run["sha256"]:
                    self._differ("file of an archive is what was signed", _NOBODY, self._run["file"], 1, 0)
            for lines in _batched(file):
                count += await self._lines(lines)
        except (OSError, EOFError, zlib.error, orjson.JSONDecodeError, KeyError, TypeError, ValueError):
            self._differ("file of an archive can be read", _NOBODY, self._run["file"], 0, 1)
            return
        if count != self._run["operations"]:
            what = self._run["file"]
            self._differ("file holds the operations of its archive", _NOBODY, what, count, self._run["operations"])
        self._sums(sums)

    async def _lines(self, lines: Sequence[dict[str, Any]]) -> int:
        """Some operations; how many of them were archived by the run."""
        asked = {"places": [line["index"] for line in lines], "run": self._run["number"]}
        leaves = {leaf.place: leaf for leaf in await self._session.execute(_LEAVES, asked)}
        places = [(UUID(line["holderId"]), UUID(line["operationId"])) for line in lines]
        owed = await obligations(await driver(self._session), places)
        for line, kept in zip(lines, owed, strict=True):
            what = f"{line['operationId']} (leaf {line['index']})"
            if not _as_sealed(line, leaves.get(line["index"])):
                self._differ("archived operation is as it was sealed", line["holderId"], what, 1, 0)
            if (said := [canonical(one).decode() for one in line["terms"].get("obligations", ())]) != kept:
                self._differ("obligations are those of the archive", line["holderId"], what, len(kept), len(said))
            operation, entries = line["leaf"]["operation"], line["leaf"].get("entries", [])
            self._moved.append((line["operationId"], operation["kind"], operation.get("reverses"), entries))
        return len(leaves)

    def _sums(self, kept: Sequence[Any]) -> None:
        """What the operations moved, against the sums that were put in their place."""
        kinds = {operation_id: kind for operation_id, kind, _, _ in self._moved}
        moved: dict[tuple[Any, ...], int] = defaultdict(int)
        for _, own, reverses, entries in self._moved:
            for entry in entries:
                amount = int(entry["amount"])
                kind, inward = kinds.get(reverses or "", own), (amount > 0) == (reverses not in kinds)
                wallet, counter = (entry["holder_id"], entry["currency"]), (entry["counter_holder_id"],)
                moved[*wallet, kind, inward, *counter, entry["counter_account"]] += amount
        sums = {(str(holder), *wallet, str(other), counter): n for holder, *wallet, other, counter, n, _ in kept}
        for key in sorted(moved.keys() | sums.keys()):
            if moved.get(key, 0) != sums.get(key, 0):
                check, (holder, currency, kind, *_) = "archived sum is that of its file", key
                self._proof.add(Difference(check, holder, kind, currency, sums.get(key, 0), moved.get(key, 0)))

    def _differ(self, check: str, holder: str, what: str, kept: int, proved: int) -> None:
        self._proof.add(Difference(check, holder, what, "", kept, proved))


def _batched(file: Path) -> Iterator[list[dict[str, Any]]]:
    """The lines of a file, a chunk at a time. Raises ValueError where a line says no place in the log."""
    with gzip.open(file) as lines:
        while chunk := [orjson.loads(line) for line in islice(lines, CHUNK)]:
            if any(not 0 <= line["index"] < 1 << 63 for line in chunk):
                raise ValueError
            yield chunk


def _as_sealed(line: dict[str, Any], leaf: Any) -> bool:
    """Whether a line of a file is what the log has at its place."""
    salt = bytes.fromhex(line["salt"])
    if leaf is None or (str(leaf.holder_id), str(leaf.operation_id), leaf.salt) != (
        line["holderId"],
        line["operationId"],
        salt,
    ):
        return False
    return lines_as_sealed(line["leaf"], line["terms"], salt, leaf.hash) is not None


def _signed(run: Any, leaves: Sequence[Any], sums: Sequence[Any], keys: Sequence[PublicKey]) -> bool:
    try:
        said, signers = read_note(run["note"], keys)
    except BadNote:
        return False
    return any(said == note_text(key.name, run, leaves, sums) for key in signers)
