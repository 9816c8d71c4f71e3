"""`tessera runs`: files that were taken in, what came of them, what they refused; and `tessera jobs undo`."""

import getpass
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer
from rich.console import Console
from rich.table import Table

from server.commands.common import AsOf, Home, Json, WrongUse, answer, now, servers, with_database, with_runtime

if TYPE_CHECKING:
    from alliance.accrual.model import AccrualRun, AccrualUndo, FeedRow
    from alliance.accrual.undo import Foreseen
    from alliance.runtime import Runtime
    from domain.database import Database

COUNTS = ("read", "posted", "duplicate", "refused")

Run = Annotated[UUID, typer.Argument(help="Id of the run.")]
Found = tuple["AccrualRun", "FeedRow | None", "AccrualUndo | None", tuple[int, int] | None]

runs = typer.Typer(help="Files that feeds took in.", no_args_is_help=True)


@runs.command("list")
def list_(
    feed: Annotated[str | None, typer.Option(help="Only those of this feed.")] = None,
    status: Annotated[str | None, typer.Option(help="Only those in this status, such as REFUSED.")] = None,
    first: Annotated[int, typer.Option(min=1, max=1000, help="At most so many.")] = 50,
    after: Annotated[UUID | None, typer.Option(help="Those before this run.")] = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """List runs, the latest first."""
    with servers("tessera runs list") as settings:
        from alliance.accrual import queries
        from alliance.accrual.model import RunStatus

        if status is not None and status not in list(RunStatus):
            raise WrongUse(f"a status is one of {', '.join(RunStatus)}")

        async def read(database: "Database") -> list[dict[str, Any]]:
            async with database.session() as session:
                codes = {row.code: row.id for row in await queries.feeds(session)}
                if feed is not None and feed not in codes:
                    raise WrongUse(f"there is no feed {feed!r}")
                wanted = None if status is None else RunStatus(status)
                rows = await queries.list_runs(
                    session, feed_id=codes.get(feed or ""), status=wanted, first=first, after=after
                )
                return [_shown(found) for found in await _with_feeds(database, rows)]

        shown = with_database(settings, read)
    answer({"runs": shown}, json, lambda console: _show_list(console, shown))


@runs.command()
def show(run: Run, home: Home = None, json: Json = False) -> None:
    """Show one run, and how far its parts are."""
    with servers("tessera runs show") as settings:
        from alliance.accrual import queries

        async def read(database: "Database") -> dict[str, Any]:
            (found,) = await _with_feeds(database, [await _run(database, run)])
            async with database.session() as session:
                parts = (await queries.parts_of(session, [run]))[run]
                names = ("number", "start", "stop", "position", "line", "done", *COUNTS)
                return _shown(found) | {"parts": [{name: getattr(part, name) for name in names} for part in parts]}

        data = with_database(settings, read)
    answer(data, json, lambda console: _show(console, data))


@runs.command()
def refusals(
    run: Run,
    out: Annotated[Path | None, typer.Option(help="Where to write the file [default: a name like the run's].")] = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """Write the rows that a run refused as a file that can be corrected and fed again."""
    with servers("tessera runs refusals") as settings:
        from server.refusals import name_of, refusals_file

        async def write(database: "Database") -> dict[str, Any]:
            found = await _run(database, run)
            path = out or Path(name_of(found))
            with path.open("wb") as file:
                async for piece in refusals_file(database, found):
                    file.write(piece)
            return {"run": run, "refused": found.refused, "file": str(path)}

        data = with_database(settings, write)
    answer(data, json, lambda console: console.print(f"{data['refused']:,} refused: {data['file']}", markup=False))


@runs.command()
def feeds(home: Home = None, json: Json = False) -> None:
    """List feeds: where their files are, when that was last looked at, and what the trouble was."""
    with servers("tessera runs feeds") as settings:
        from alliance.accrual import queries

        async def read(database: "Database") -> list[dict[str, Any]]:
            async with database.session() as session:
                return [
                    {"code": row.code, "url": row.definition["url"], "looked_at": row.looked_at, "trouble": row.trouble}
                    for row in await queries.feeds(session)
                ]

        rows = with_database(settings, read)
    answer({"feeds": rows}, json, lambda console: _show_feeds(console, rows))


def undo(
    run: Run,
    reason: Annotated[str, typer.Option(help="Why; it is kept with the run.")] = "wrong file",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only print what it would come to.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_of: AsOf = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """Reverse all that a run booked. Jobs do it; what cannot be reversed stays, and is counted.

    What it would come to is said first; at a terminal it then asks.
    """
    with servers("tessera jobs undo") as settings:
        from alliance.accrual.undo import begin_undo, foresee_undo

        async def foresee(runtime: "Runtime") -> "Foreseen":
            return await foresee_undo(runtime, run, as_of or now())

        async def begin(database: "Database") -> None:
            async with database.transaction() as session:
                await begin_undo(session, run, who=getpass.getuser(), why=reason, as_of=as_of or now())

        foreseen = with_runtime(settings, foresee)
        told = {name: getattr(foreseen, name) for name in ("reversed", "taken", "shortfall")}
        kept = [{"code": code, "count": n, "lines": foreseen.lines[code]} for code, n in sorted(foreseen.kept.items())]
        data = {"run": run, "undoing": not dry_run, **told, "kept": kept}
        if not json:
            _show_foreseen(Console(), data)
        if not (dry_run or yes or json) and sys.stdin.isatty():
            typer.confirm("Undo it?", abort=True)
        if not dry_run:
            with_database(settings, begin)
    answer(data, json, lambda console: _show_undo(console, data))


async def _run(database: "Database", run_id: UUID) -> "AccrualRun":
    from alliance.accrual import queries
    from domain.errors import NotFound

    async with database.session() as session:
        found = (await queries.runs_by_id(session, [run_id])).get(run_id)
    if found is None:
        raise NotFound(what=f"run {run_id}")
    return found


async def _with_feeds(database: "Database", rows: Any) -> list[Found]:
    from alliance.accrual import queries

    async with database.session() as session:
        known = await queries.feeds_by_id(session, [row.feed_id for row in rows])
        undone = await queries.undos(session, [row.id for row in rows])
        far = await queries.far(session, rows, undone)
    return [(row, known.get(row.feed_id), undone.get(row.id), far.get(row.id)) for row in rows]


def _shown(found: Found) -> dict[str, Any]:
    from alliance.accrual.refusals import refusal_of

    run, feed, undone, far = found
    why = None if run.refusal is None else refusal_of(run.refusal)
    names = ("id", "file", "size", "digest", "status", "rows", *COUNTS, "started_at", "finished_at", "started_by")
    shown = {"feed": feed.code if feed else None} | {name: getattr(run, name) for name in names}
    shown["same_as"] = run.same_as
    shown["error"] = None if why is None else {"code": why.code, "message": why.message()}
    shown["progress"] = None if far is None else {"done": far[0], "total": far[1]}
    figures = ("who", "why", "started_at", "finished_at", "reversed", "taken", "shortfall", "kept")
    shown["undo"] = None if undone is None else {name: getattr(undone, name) for name in figures}
    return shown


def _show_list(console: Console, rows: list[dict[str, Any]]) -> None:
    table = Table("id", "feed", "file", "status", *COUNTS, "started")
    for row in rows:
        counts = (f"{row[name]:,}" for name in COUNTS)
        started = f"{row['started_at']:%Y-%m-%d %H:%M:%S}"
        table.add_row(str(row["id"]), row["feed"], row["file"], _status(row), *counts, started)
    console.print(table)


def _status(row: dict[str, Any]) -> str:
    """With how far it is, if it is at work."""
    far = row["progress"]
    return row["status"] if not far or not far["total"] else f"{row['status']} {100 * far['done'] // far['total']} %"


def _show(console: Console, data: dict[str, Any]) -> None:
    console.print(f"{data['file']} of {data['feed']}: {_status(data)}", markup=False)
    console.print(f"  {data['size']:,} bytes, SHA-256 {data['digest'] or 'not made'}", markup=False, soft_wrap=True)
    console.print("  " + ", ".join(f"{data[name]:,} {name}" for name in COUNTS))
    console.print(f"  started {data['started_at']} by {data['started_by']}, ended {data['finished_at'] or 'not yet'}")
    if data["error"]:
        console.print(f"  {data['error']['code']}: {data['error']['message']}", markup=False, soft_wrap=True)
    if data["undo"]:
        undo = data["undo"]
        figures = (
            f"{undo['reversed']:,} reversed, {undo['taken']:,} points taken back, {undo['shortfall']:,} were spent"
        )
        console.print(f"  undone by {undo['who']} ({undo['why']}): {figures}, {undo['kept']:,} stay", markup=False)
    done = sum(part["done"] for part in data["parts"])
    console.print(f"  {done} of {len(data['parts'])} parts done")


def _show_feeds(console: Console, rows: list[dict[str, Any]]) -> None:
    table = Table("feed", "folder", "looked at", "trouble")
    for row in rows:
        looked = f"{row['looked_at']:%Y-%m-%d %H:%M:%S}" if row["looked_at"] else "never"
        table.add_row(row["code"], row["url"], looked, row["trouble"] or "")
    console.print(table)


def _show_foreseen(console: Console, data: dict[str, Any]) -> None:
    console.print(f"{data['reversed']:,} operations to reverse, {data['taken']:,} points taken back")
    if data["shortfall"]:
        console.print(f"{data['shortfall']:,} points are spent already: the issuer's rule for clawback decides")
    for kept in data["kept"]:
        lines = ", ".join(map(str, kept["lines"]))
        console.print(f"{kept['count']:,} stay: {kept['code']} (line {lines})")


def _show_undo(console: Console, data: dict[str, Any]) -> None:
    if data["undoing"]:
        console.print(f"Being undone by jobs: tessera runs show {data['run']} says how it goes", soft_wrap=True)
    else:
        console.print("Nothing was written.")
