"""What was archived when, and what of it is signed."""

from collections.abc import Iterable
from datetime import datetime
from hashlib import sha256
from typing import Any

from sqlalchemy import LargeBinary, func
from sqlalchemy.orm import Mapped, mapped_column

from domain.base import Base


class ArchiveRun(Base):
    """A file of operations that are no longer in the database. `sha256` is that of the file as it was written.

    `note` says all of this, and which leaves and sums are meant, signed by the keys of the log: whoever has not the
    key cannot pass off a deletion as an archive.
    """

    __tablename__ = "archive_run"

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    before: Mapped[datetime]
    file: Mapped[str]
    sha256: Mapped[bytes] = mapped_column(LargeBinary)
    operations: Mapped[int]
    first_leaf: Mapped[int]
    last_leaf: Mapped[int]
    note: Mapped[str]
    archived_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


LEAVES_OF = 'SELECT "index" FROM log_leaf WHERE archived_by = {run} ORDER BY "index"'
SUMS_OF = """
    SELECT holder_id, currency, kind, inward, counter_holder_id, counter_account, points, until FROM archived_sum
    WHERE run = {run} ORDER BY holder_id, currency, kind, inward, counter_holder_id, counter_account"""


def note_text(name: str, run: Any, leaves: Iterable[Any], sums: Iterable[Any]) -> str:
    """What is signed of a run of the log of this name: its file, its leaves, its sums. It is no checkpoint: the second
    line is no size."""
    digest = sha256()
    for [index] in leaves:
        digest.update(f"leaf {index}\n".encode())
    for *words, until in sums:
        digest.update(f"sum {' '.join(map(str, words))} {int(until.timestamp() * 1_000_000)}\n".encode())
    facts = f"{run['operations']} {run['first_leaf']} {run['last_leaf']}"
    return f"{name}\narchive {run['number']}\n{facts}\n{run['sha256'].hex()}\n{digest.hexdigest()}\n"
