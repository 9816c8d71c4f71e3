"""Reading what was archived: whether it was, and proofs from a file."""

import gzip
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.proofs.canonical import SALT_SIZE
from alliance.proofs.lines import lines_as_sealed
from alliance.proofs.model import Inclusion, Leaf, LogLeaf
from alliance.proofs.queries import inclusion_of


async def is_archived(session: AsyncSession, holder_id: UUID, operation_id: UUID) -> bool:
    """Whether an operation that is not here is in an archive."""
    query = select(LogLeaf.archived_by).where(LogLeaf.operation_id == operation_id, LogLeaf.holder_id == holder_id)
    return await session.scalar(query) is not None


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
    made = await inclusion_of(session, found["index"], leaf)
    lines = None if made is None else lines_as_sealed(leaf.data, leaf.terms, salt, made.leaf_hash)
    if made is None or lines is None:
        raise NotInArchive("what the file holds is not what was sealed at that place")
    return replace(made, leaf=replace(leaf, lines=tuple(lines)))
