"""The import of opening balances: the whole file is checked, then posted; what is refused goes into a report."""

import csv
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Self, TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TimeRemainingColumn

from alliance.opening.commands import Import, Refused
from alliance.opening.model import REPORTED, Columns, Tally
from alliance.opening.rules import columns_of, reference_of
from alliance.runtime import Runtime
from domain.errors import Refusal
from server.commands.common import WrongUse
from server.importing.tables import Table, hash_of, opened


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an import came to: what was `planned`, what was `done` (None: nothing was written), and the report."""

    planned: Tally
    done: Tally | None
    report: Path | None
    seconds: float

    @property
    def refused(self) -> int:
        """Rows that are not in the books."""
        return self.planned.refused + (self.done.refused if self.done else 0)

    @property
    def rate(self) -> float:
        """Balances posted a second."""
        return self.done.balances / self.seconds if self.done and self.seconds else 0.0

    def to_json(self) -> dict[str, Any]:
        """The answer of `tessera import balances --json`."""
        return {
            "written": self.done is not None,
            "planned": self.planned.to_json(),
            "imported": self.done.to_json() if self.done else None,
            "refused": self.refused,
            "report": str(self.report) if self.report else None,
            "seconds": round(self.seconds, 3),
            "rate": round(self.rate, 1),
        }

    def show(self, console: Console) -> None:
        """The same for people."""
        tally, verb = (self.done, "imported") if self.done else (self.planned, "to import")
        known = self.planned.known + (self.done.known if self.done else 0)
        console.print(f"{self.planned.rows:,} rows: {tally.balances:,} balances {verb}, {known:,} were there before")
        for currency, points in sorted(tally.points.items()):
            console.print(f"  {currency} {points:,} points", markup=False)
        console.print(f"  {tally.enrolled:,} members {'enrolled' if self.done else 'to enrol'}")
        if self.done:
            console.print(f"  {self.rate:,.0f} rows/s")
        if self.refused:
            console.print(f"Refused: {self.refused:,} rows, listed in {self.report}", markup=False, soft_wrap=True)
        if not self.done:
            console.print("Nothing was written.")


async def run_import(
    runtime: Runtime,
    path: Path,
    report: Path,
    *,
    secret: bytes,
    as_of: datetime,
    dry_run: bool,
    skip_refused: bool,
    quiet: bool,
) -> Outcome:
    """Check the file; then, unless it is a `dry_run` or rows are refused that are not to be skipped, import it.

    Run again it goes on where it was broken off. Raises WrongUse for a file that is no table of opening balances.
    """
    name = hash_of(path)
    with opened(path) as table:
        work = Import(runtime, _columns(runtime, table), name, secret, as_of)
    with _Report(report, work.columns.names, name) as refusals:
        await _check(work, path, refusals, quiet)
        if dry_run or (work.planned.refused and not skip_refused):
            return Outcome(work.planned, None, refusals.written, 0.0)
        started = time.monotonic()
        await _post(work, path, refusals, quiet)
        return Outcome(work.planned, work.done, refusals.written, time.monotonic() - started)


async def _check(work: Import, path: Path, refusals: "_Report", quiet: bool) -> None:
    with opened(path) as table, _Bar("checking", quiet) as bar:
        async with work.runtime.database.reader() as session:
            await work.begin(session)
            for rows in table.chunks:
                refusals.write(await work.check(session, rows))
                bar.at(table.read(), work.planned.rows)


async def _post(work: Import, path: Path, refusals: "_Report", quiet: bool) -> None:
    with opened(path) as table, _Bar("importing", quiet) as bar:
        for rows in table.chunks:
            refusals.write(await work.post(rows))
            bar.at(rows[-1].number / work.planned.rows, rows[-1].number)


def _columns(runtime: Runtime, table: Table) -> Columns:
    try:
        return columns_of(runtime.catalogue, table.columns)
    except Refusal as refusal:
        raise WrongUse(refusal.message()) from None


class _Report:
    """Refused rows as CSV: the columns of the file, its rows' references, and why. Not made before the first one."""

    def __init__(self, path: Path, columns: Sequence[str], table: str) -> None:
        own = [column for column in columns if column not in REPORTED]
        self._columns = [*own, *(() if "reference" in own else ("reference",)), *REPORTED]
        self._path, self._table = path, table
        self._file: TextIO | None = None

    @property
    def written(self) -> Path | None:
        """The report, if there is one."""
        return self._path if self._file is not None else None

    def write(self, refused: Iterable[Refused]) -> None:
        """Add rows."""
        for row, refusal in refused:
            if self._file is None:
                self._file = self._path.open("w", encoding="utf-8", newline="")
                csv.writer(self._file).writerow(self._columns)
            why = (str(row.number), refusal.code, ".".join(refusal.path), refusal.message())
            told = row.values | {"reference": reference_of(row, self._table)} | dict(zip(REPORTED, why, strict=True))
            csv.writer(self._file).writerow(told.get(name, "") for name in self._columns)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()


class _Bar:
    """How far it is, at what rate, and how long it will take, on standard error; nothing where it is to be quiet."""

    def __init__(self, what: str, quiet: bool) -> None:
        columns = ("{task.description}", BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
        self._progress = Progress(*columns, console=Console(stderr=True), disable=quiet)
        self._what, self._began = what, time.monotonic()
        self._task = self._progress.add_task(what, total=1.0)

    def at(self, part: float, rows: int) -> None:
        """So large a part is done, so many rows."""
        rate = rows / max(time.monotonic() - self._began, 0.001)
        self._progress.update(self._task, completed=part, description=f"{self._what} {rows:,} rows, {rate:,.0f}/s")

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()
