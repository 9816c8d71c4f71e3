"""`tessera jobs`: what is to be done, what ran out of tries, and starting by hand what the clock would start."""

from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer
from rich.console import Console
from rich.table import Table

from server.commands.common import NO, AsOf, Home, Json, answer, now, servers, with_database

if TYPE_CHECKING:
    from domain.database import Database
    from domain.events.model import Job

SCHEDULED = (
    "close_month",
    "disputes",
    "duplicates",
    "exits",
    "expire",
    "feeds",
    "forget_keys",
    "honour",
    "lapse",
    "life",
    "notices",
    "reconcile",
    "remind",
    "room",
    "settle",
    "stages",
    "tags",
    "tell",
    "watch_reads",
)
"""Actors that the scheduler adds jobs for."""

JobId = Annotated[UUID, typer.Argument(help="Id of the job.")]

jobs = typer.Typer(help="Jobs in the background.", no_args_is_help=True)


@jobs.command("list")
def list_(
    failed: Annotated[bool | None, typer.Option("--failed/--waiting", help="Only these [default: both].")] = None,
    actor: Annotated[str | None, typer.Option(help="Only the jobs of this actor.")] = None,
    first: Annotated[int, typer.Option(min=1, max=1000, help="At most so many.")] = 50,
    after: Annotated[UUID | None, typer.Option(help="Those after this job.")] = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """List jobs, oldest first."""
    with servers("tessera jobs list") as settings:
        from domain.events.queries import list_jobs

        async def read(database: "Database") -> list[dict[str, Any]]:
            async with database.session() as session:
                found = await list_jobs(session, failed=failed, actor=actor, first=first, after=after)
                return [_shown(job) for job in found]

        rows = with_database(settings, read)
    answer({"jobs": rows}, json, lambda console: _show_list(console, rows))


@jobs.command()
def show(job: JobId, home: Home = None, json: Json = False) -> None:
    """Show one job, with the history of its attempts."""
    with servers("tessera jobs show") as settings:
        from domain.errors import NotFound
        from domain.events.queries import jobs_by_id

        async def read(database: "Database") -> dict[str, Any]:
            async with database.session() as session:
                found = (await jobs_by_id(session, [job])).get(job)
                if found is None:
                    raise NotFound(what=f"job {job}")
                return {**_shown(found), "args": found.args, "history": found.history}

        data = with_database(settings, read)
    answer(data, json, lambda console: console.print_json(data=data, default=str))


@jobs.command()
def retry(job: JobId, home: Home = None, json: Json = False) -> None:
    """Give a failed job all its attempts again, now."""
    with servers("tessera jobs retry") as settings:
        from domain.events.commands import retry_job

        async def again(database: "Database") -> None:
            async with database.transaction() as session:
                await retry_job(session, job)

        with_database(settings, again)
    answer({"retried": job}, json, lambda console: console.print(f"{job} will be tried again"))


@jobs.command()
def discard(job: JobId, home: Home = None, json: Json = False) -> None:
    """Delete a failed job, undone."""
    with servers("tessera jobs discard") as settings:
        from domain.events.commands import discard_job

        async def drop(database: "Database") -> None:
            async with database.transaction() as session:
                await discard_job(session, job)

        with_database(settings, drop)
    answer({"discarded": job}, json, lambda console: console.print(f"{job} is gone"))


@jobs.command()
def schedule(home: Home = None, json: Json = False) -> None:
    """Show what the scheduler starts next, and for which time it last did."""
    with servers("tessera jobs schedule") as settings:
        from domain.events.queries import last_runs
        from workers.scheduler import calendar

        async def read(database: "Database") -> list[dict[str, Any]]:
            async with database.session() as session:
                last = dict(await last_runs(session))
                return [
                    {
                        "name": due.name,
                        "actor": due.actor,
                        "last_due_at": last.get(due.name),
                        # What was due and not started is started as soon as a scheduler runs.
                        "next_due_at": due.next_at if last.get(due.name) == due.due_at else due.due_at,
                    }
                    for due in await calendar(session, now(), timedelta(seconds=settings.feed_poll))
                ]

        rows = with_database(settings, read)
    answer({"runs": rows}, json, lambda console: _show_runs(console, rows))


@jobs.command()
def run(
    name: Annotated[str, typer.Argument(help=f"{', '.join(SCHEDULED[:-1])} or {SCHEDULED[-1]}.")],
    as_of: AsOf = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """Add the job that the scheduler would add at a time; a worker does it."""
    with servers("tessera jobs run") as settings:
        from domain.events.commands import add_job

        if name not in SCHEDULED:
            raise typer.BadParameter(f"{name!r} is not one of {', '.join(SCHEDULED)}")
        moment = (as_of or now()).isoformat()

        async def add(database: "Database") -> None:
            async with database.transaction() as session:
                await add_job(session, name, {"as_of": moment}, queue="bulk")

        with_database(settings, add)
    answer(
        {"added": name, "as_of": moment}, json, lambda console: console.print(f"{name} as of {moment} is to be done")
    )


@jobs.command()
def groups(
    first: Annotated[int, typer.Option(min=1, max=1000, help="At most so many.")] = 20,
    home: Home = None,
    json: Json = False,
) -> None:
    """Show how far jobs over many are, as those of the night, newest first."""
    with servers("tessera jobs groups") as settings:
        from domain.events.progress import groups as read_all

        async def read(database: "Database") -> list[dict[str, Any]]:
            async with database.session() as session:
                return [asdict(group) for group in await read_all(session, first)]

        rows = with_database(settings, read)
    answer({"groups": rows}, json, lambda console: _show_groups(console, rows))


def _show_groups(console: Console, rows: list[dict[str, Any]]) -> None:
    table = Table("id", "actor", "as of", "started", "done", "failed")
    for row in rows:
        as_of, started = (row[name] and f"{row[name]:%Y-%m-%d %H:%M %Z}" for name in ("as_of", "started_at"))
        far = f"{row['done']:,} of {row['jobs']:,}"
        table.add_row(str(row["id"]), row["actor"], as_of or "", started, far, f"{row['failed']:,}")
    console.print(table)


@jobs.command()
def reconciliations(
    first: Annotated[int, typer.Option(min=1, max=1000, help="At most so many.")] = 10,
    home: Home = None,
    json: Json = False,
) -> None:
    """Show what the nightly proofs of the books came to, newest first; exit code 1 if the last found differences."""
    with servers("tessera jobs reconciliations") as settings:
        from alliance.reconciliation.queries import reconciliations as read_all

        async def read(database: "Database") -> list[dict[str, Any]]:
            names = ("as_of", "started_at", "finished_at", "step", "done", "total", "accounts", "operations", "found")
            async with database.session() as session:
                return [
                    {name: getattr(row, name) for name in (*names, "differences", "outstanding")}
                    for row in await read_all(session, first)
                ]

        rows = with_database(settings, read)
    answer({"reconciliations": rows}, json, lambda console: _show_reconciliations(console, rows))
    if next((row["found"] for row in rows if row["finished_at"]), 0):
        raise typer.Exit(NO)


def _show_reconciliations(console: Console, rows: list[dict[str, Any]]) -> None:
    table = Table("as of", "state", "operations", "differ", "has not returned to zero")
    for row in rows:
        running = f"{row['step'] or 'begun'} {row['done']:,} of {row['total']:,}"
        left = "\n".join(
            f"{one['what']}: {one['count']:,} ({one['amount']} {one['unit']})" for one in row["outstanding"]
        )
        figures = [f"{row[name]:,}" if row["finished_at"] else "" for name in ("operations", "found")]
        state = "differs" if row["found"] else "agrees" if row["finished_at"] else running
        table.add_row(f"{row['as_of']:%Y-%m-%d %H:%M %Z}", state, *figures, left)
    console.print(table)


def _shown(job: "Job") -> dict[str, Any]:
    names = ("id", "actor", "queue", "available_at", "attempts", "dispatched_at", "failed_at", "last_error")
    return {name: getattr(job, name) for name in names}


def _show_runs(console: Console, rows: list[dict[str, Any]]) -> None:
    table = Table("name", "actor", "last due", "next due")
    for row in rows:
        last, coming = (row[name] and f"{row[name]:%Y-%m-%d %H:%M %Z}" for name in ("last_due_at", "next_due_at"))
        table.add_row(row["name"], row["actor"], last or "never", coming)
    console.print(table)


def _show_list(console: Console, rows: list[dict[str, Any]]) -> None:
    table = Table("id", "actor", "due", "attempts", "state", "last error")
    for row in rows:
        state = "failed" if row["failed_at"] else "in hand" if row["dispatched_at"] else "waiting"
        due = f"{row['available_at']:%Y-%m-%d %H:%M:%S}"
        table.add_row(str(row["id"]), row["actor"], due, str(row["attempts"]), state, row["last_error"] or "")
    console.print(table)
