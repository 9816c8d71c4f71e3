"""Archiving: operations that nothing can touch any more go into a file, a block of holders a transaction.

The file is whole on the disk before the transaction that deletes is committed: whatever happens, an operation is in the
database, or in a file that a signed row vouches for. A file without such a row is written anew by the next run.
"""

import gzip
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import orjson

from alliance.archive.model import LEAVES_OF, SUMS_OF, note_text
from alliance.proofs.leaves import Rows, read, version_of, written
from alliance.proofs.notes import PrivateKey, signed_note
from domain.ledger import store

FORMAT = "tessera-archive-1"
ARCHIVER_LOCK = (0x7E55, 6)

HOLDERS = 500
"""Holders a block: they post nothing while it is archived."""

_CHUNK = 5000

_HOLDERS = "SELECT DISTINCT holder_id FROM operation WHERE holder_id > $1 AND as_of < $2 ORDER BY 1 LIMIT $3"

_TABLES = """
    CREATE TEMP TABLE archivable (holder_id uuid, id uuid, kind text, reverses uuid, moment timestamptz,
                                  place bigint, salt bytea, hash bytea, PRIMARY KEY (holder_id, id)) ON COMMIT DROP;
    CREATE TEMP TABLE touched (holder_id uuid, thing uuid, operation_id uuid) ON COMMIT DROP"""

# What an operation is, and what names it, must leave nothing to be done or to be asked about it.
_CANDIDATES = """
    INSERT INTO archivable
    SELECT o.holder_id, o.id, o.kind, o.reverses, greatest(o.booked_at, o.as_of) AS moment,
           l."index" AS place, l.salt, substr(l.hashes, 1, 32) AS hash
    FROM operation o JOIN log_leaf l ON l.operation_id = o.id AND l.holder_id = o.holder_id
    WHERE o.holder_id = ANY($1) AND o.booked_at < $2 AND o.as_of < $2
      AND o.kind IN ('EARN', 'REDEEM', 'EXPIRE', 'EXCHANGE', 'REVERSAL')
      AND NOT EXISTS (
        SELECT FROM entry e JOIN currency c ON c.code = e.currency
        WHERE e.holder_id = o.holder_id AND e.operation_id = o.id
          AND (e.account <> 'POINTS' OR e.counter_account IN ('POINTS', 'PENDING', 'EXIT') OR c.kind <> 'points'
               OR EXISTS (SELECT FROM currency_policy p WHERE p.currency = c.code AND p.definition ? 'forcedExit')))
      AND NOT EXISTS (
        SELECT FROM obligation b JOIN settlement_cycle c ON c.id = b.cycle_id
        WHERE b.holder_id = o.holder_id AND b.operation_id = o.id AND c.status NOT IN ('SETTLED', 'ABORTED'))
      AND NOT EXISTS (SELECT FROM repair x WHERE o.id IN (x.target_id, x.operation_id))
      AND NOT EXISTS (SELECT FROM hold x WHERE x.holder_id = o.holder_id AND x.captured_by = o.id)
      AND NOT EXISTS (SELECT FROM order_tender x WHERE x.holder_id = o.holder_id
                      AND o.id IN (x.order_id, x.operation_id))
      AND NOT EXISTS (SELECT FROM debt_payment x WHERE x.holder_id = o.holder_id
                      AND o.id IN (x.debt_id, x.operation_id))
      AND NOT EXISTS (SELECT FROM pending_grant x WHERE x.holder_id = o.holder_id
                      AND o.id IN (x.operation_id, x.activated_by))
      AND NOT EXISTS (SELECT FROM debt x WHERE x.holder_id = o.holder_id AND x.operation_id = o.id)
      AND NOT EXISTS (SELECT FROM member_tier x WHERE x.holder_id = o.holder_id AND x.operation_id = o.id)
      AND NOT EXISTS (SELECT FROM pool_spend x WHERE x.holder_id = o.holder_id AND x.operation_id = o.id)"""

# What holds operations together: lots, by whoever made, took of or copied them; and what was reversed. A lot that is
# not spent is touched by somebody to come: the nil operation, which is never archived.
_TOUCHED = """
    INSERT INTO touched
    SELECT holder_id, id AS thing, operation_id FROM lot WHERE holder_id = ANY($1)
    UNION ALL SELECT holder_id, id, '00000000-0000-0000-0000-000000000000' FROM lot
              WHERE holder_id = ANY($1) AND (remaining > 0 OR held > 0)
    UNION ALL SELECT holder_id, lot_id, operation_id FROM allocation WHERE holder_id = ANY($1)
    UNION ALL SELECT source_holder_id, source_lot_id, operation_id FROM lot
              WHERE holder_id = ANY($1) AND source_lot_id IS NOT NULL
    UNION ALL SELECT holder_id, reverses, id FROM operation WHERE holder_id = ANY($1) AND reverses IS NOT NULL
    UNION ALL SELECT holder_id, reverses, reverses FROM operation WHERE holder_id = ANY($1) AND reverses IS NOT NULL"""

_KEEP = """
    WITH kept AS (
        SELECT DISTINCT t.holder_id, t.thing FROM touched t
        LEFT JOIN archivable a ON a.holder_id = t.holder_id AND a.id = t.operation_id WHERE a.id IS NULL
    )
    DELETE FROM archivable a USING touched t JOIN kept k ON k.holder_id = t.holder_id AND k.thing = t.thing
    WHERE a.holder_id = t.holder_id AND a.id = t.operation_id"""

_SUMS = """
    INSERT INTO archived_sum (holder_id, run, currency, kind, inward, counter_holder_id, counter_account, points, until)
    SELECT e.holder_id, $1, e.currency, coalesce(u.kind, a.kind), (e.amount > 0) = (u.id IS NULL),
           e.counter_holder_id, e.counter_account, sum(e.amount)::bigint, max(a.moment)
    FROM archivable a JOIN entry e ON e.holder_id = a.holder_id AND e.operation_id = a.id
    LEFT JOIN archivable u ON u.holder_id = a.holder_id AND u.id = a.reverses
    GROUP BY 1, 3, 4, 5, 6, 7"""

_GONE = ("operation_return", "allocation", "lot", "entry")


class ArchiveError(Exception):
    """It cannot be done; the message says why. Nothing of the block was deleted."""


@dataclass(frozen=True, slots=True)
class Archived:
    """A file that was written, or would have been: its number, how many operations, its name."""

    number: int
    operations: int
    file: str

    def to_json(self) -> dict[str, Any]:
        """For programs."""
        return {"number": self.number, "operations": self.operations, "file": self.file}


async def archive(
    connection: asyncpg.Connection, folder: Path, before: datetime, keys: Sequence[PrivateKey], *, dry_run: bool = False
) -> list[Archived]:
    """Archive what is finished of before this instant, a file a block. Raises ArchiveError.

    What is refused stops the run: the blocks before it stay archived.
    """
    if not await connection.fetchval("SELECT pg_try_advisory_lock($1, $2)", *ARCHIVER_LOCK):
        raise ArchiveError("another archive is being written")
    made = []
    try:
        last = UUID(int=0)
        while found := await connection.fetch(_HOLDERS, last, before, HOLDERS):
            holders = [row[0] for row in found]
            transaction = connection.transaction()
            await transaction.start()
            try:
                block = await _block(connection, holders, folder, before, None if dry_run else keys)
            except BaseException:
                await transaction.rollback()
                raise
            await (transaction.rollback() if dry_run else transaction.commit())
            made += [block] if block else []
            last = holders[-1]
    finally:
        await connection.execute("SELECT pg_advisory_unlock($1, $2)", *ARCHIVER_LOCK)
    return made


async def _block(
    connection: asyncpg.Connection,
    holders: list[UUID],
    folder: Path,
    before: datetime,
    keys: Sequence[PrivateKey] | None,
) -> Archived | None:
    """Archive some holders' operations, in the caller's transaction; only look where there are no keys."""
    await store.lock(connection, holders, ())
    await connection.execute(_TABLES)
    await connection.execute(_CANDIDATES, holders, before)
    await connection.execute(_TOUCHED, holders)
    await connection.execute("ANALYZE archivable; ANALYZE touched")
    while await connection.execute(_KEEP) != "DELETE 0":
        pass
    facts = await connection.fetchrow("SELECT count(*), min(place), max(place) FROM archivable")
    if not facts[0]:
        return None
    number = 1 + await connection.fetchval("SELECT coalesce(max(number), 0) FROM archive_run")
    file = f"archive-{number:06}.ndjson.gz"
    if keys is not None:
        run = {"number": number, "before": before, "file": file}
        run |= {"operations": facts[0], "first_leaf": facts[1], "last_leaf": facts[2]}
        run["sha256"] = await _write(connection, folder / file)
        await _replace(connection, run, keys)
        _keep(folder / f"archive-{number:06}.json", orjson.dumps(_told(run), option=orjson.OPT_INDENT_2) + b"\n")
        _sync(folder)
    return Archived(number, facts[0], file)


async def _write(connection: asyncpg.Connection, file: Path) -> bytes:
    """Write the block's operations, each as its leaf was hashed; the SHA-256 of the file."""
    unfinished = file.with_suffix(".new")
    with unfinished.open("wb") as raw, gzip.GzipFile(fileobj=raw, mode="wb", filename="", mtime=0) as packed:
        last = -1
        while rows := await connection.fetch(
            "SELECT * FROM archivable WHERE place > $1 ORDER BY place LIMIT $2", last, _CHUNK
        ):
            made = await read(connection, [(row["holder_id"], row["id"]) for row in rows])
            for row, leaf in zip(rows, made, strict=True):
                packed.write(_line(row, leaf))
            last = rows[-1]["place"]
    with unfinished.open("rb+") as whole:
        os.fsync(whole.fileno())
        hashed = sha256(whole.read()).digest()
    unfinished.replace(file)
    _sync(file.parent)
    return hashed


def _line(row: Any, leaf: Rows | None) -> bytes:
    version = None if leaf is None else version_of(leaf, row["salt"], row["hash"])
    if leaf is None or version is None:
        raise ArchiveError(f"operation {row['id']} is not as it was sealed: run `tessera verify`")
    data, terms = written(leaf, row["salt"], version)
    place = {"index": row["place"], "holderId": str(row["holder_id"]), "operationId": str(row["id"])}
    place["salt"] = row["salt"].hex()
    return orjson.dumps(place | {"leaf": orjson.Fragment(data), "terms": orjson.Fragment(terms)}) + b"\n"


async def _replace(connection: asyncpg.Connection, run: dict[str, Any], keys: Sequence[PrivateKey]) -> None:
    """Put sums in the place of the block's rows, and sign what was done."""
    number = run["number"]
    await connection.execute(_SUMS, number)
    await connection.execute(
        """UPDATE log_leaf l SET archived_by = $1 FROM archivable a WHERE l."index" = a.place""", number
    )
    for table in _GONE:
        await connection.execute(
            f"""DELETE FROM {table} t USING archivable a
                WHERE t.holder_id = a.holder_id AND t.operation_id = a.id"""  # noqa: S608
        )
    await connection.execute(
        "DELETE FROM operation o USING archivable a WHERE o.holder_id = a.holder_id AND o.id = a.id"
    )
    leaves = await connection.fetch(LEAVES_OF.format(run=number))
    sums = await connection.fetch(SUMS_OF.format(run=number))
    run["note"] = signed_note(note_text(keys[0].name, run, leaves, sums), keys)
    columns = ", ".join(run)
    values = ", ".join(f"${place}" for place in range(1, len(run) + 1))
    await connection.execute(f"INSERT INTO archive_run ({columns}) VALUES ({values})", *run.values())  # noqa: S608


def _told(run: dict[str, Any]) -> dict[str, Any]:
    """The manifest beside the file: as the row."""
    names = {"first_leaf": "firstLeaf", "last_leaf": "lastLeaf"}
    return (
        {"format": FORMAT}
        | {names.get(name, name): value for name, value in run.items()}
        | {"sha256": run["sha256"].hex()}
    )


def _keep(file: Path, content: bytes) -> None:
    with file.open("wb") as opened:
        opened.write(content)
        opened.flush()
        os.fsync(opened.fileno())


def _sync(folder: Path) -> None:
    """Make the names of the files in a folder last."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
