"""`tessera duplicates`: members who may be one person."""

import resource
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

from server.commands.common import DONE, Home, Json, WrongUse, answer, servers, with_database, with_runtime

if TYPE_CHECKING:
    from rich.console import Console

    from alliance.runtime import Runtime
    from domain.database import Database
    from domain.duplicates.model import DuplicateCandidate

OPERATOR = UUID(int=0)
"""Whose client decisions on the command line are by."""

duplicates = typer.Typer(help="Members who may be one person.", no_args_is_help=True)


@duplicates.command()
def find(
    members: Annotated[int, typer.Option(min=1, max=100_000, help="Members a range.")] = 5_000,
    after: Annotated[UUID | None, typer.Option(help="Go on with the range that begins with this member.")] = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """Compare all members with each other, a range at a time, and put pairs into the queue.

    What is interrupted goes on with `--after` and the member that was printed last; done again, the same comes out.
    """
    with servers("tessera duplicates find") as settings:

        async def look(runtime: "Runtime") -> dict[str, Any]:
            from domain.duplicates.commands import note_keys, propose
            from domain.duplicates.queries import cut_members

            started, found, seen = time.monotonic(), 0, 0
            async with runtime.database.session() as session:
                firsts = await cut_members(session, members)
            firsts = [first for first in firsts if after is None or first >= after]
            for place, (first, before) in enumerate(zip(firsts, [*firsts[1:], None], strict=True), 1):
                async with runtime.database.transaction() as session:
                    seen += await note_keys(session, runtime.catalogue, first, before)
                async with runtime.database.transaction() as session:
                    found += await propose(session, runtime.catalogue, first, before, datetime.now(UTC))
                typer.echo(
                    f"{place} of {len(firsts)}: from {first}, {seen} members, {found} pairs,"
                    f" {time.monotonic() - started:.0f} s, {_megabytes()} MB",
                    err=True,
                )
            return {
                "members": seen,
                "pairs": found,
                "seconds": round(time.monotonic() - started, 1),
                "mb": _megabytes(),
            }

        figures = with_runtime(settings, look)
    answer(figures, json, lambda console: console.print(figures))
    raise typer.Exit(DONE)


def _megabytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


@duplicates.command("list")
def list_(
    status: Annotated[str, typer.Option(help="PROPOSED, LATER or NOT_SAME.")] = "PROPOSED",
    first: Annotated[int, typer.Option(min=1, max=1000, help="At most so many.")] = 50,
    home: Home = None,
    json: Json = False,
) -> None:
    """List pairs, the most probable first."""
    with servers("tessera duplicates list") as settings:
        from domain.duplicates.model import CandidateStatus
        from domain.duplicates.queries import page
        from domain.members.queries import by_ids

        if status.upper() not in CandidateStatus.__members__:
            raise WrongUse(f"a pair is {', '.join(CandidateStatus)}")

        async def read(database: "Database") -> list[dict[str, Any]]:
            async with database.session() as session:
                rows = await page(session, size=first, status=CandidateStatus(status.upper()))
                known = await by_ids(session, [id_ for row in rows for id_ in (row.one_id, row.other_id)])
                return [_shown(row, [known[id_].number for id_ in (row.one_id, row.other_id)]) for row in rows]

        found = with_database(settings, read)
    answer({"candidates": found}, json, lambda console: _show(console, found))


def _shown(row: "DuplicateCandidate", numbers: list[str]) -> dict[str, Any]:
    return {
        "members": numbers,
        "probability": f"{row.probability / 1_000_000:.6f}",
        "exact": row.exact,
        "features": {name: f"{how} {weight / 100:+.2f}" for name, (how, weight) in row.features.items()},
        "status": row.status,
        "note": row.note,
    }


def _show(console: "Console", found: list[dict[str, Any]]) -> None:
    for one in found:
        why = ", ".join(f"{name} {how}" for name, how in one["features"].items())
        console.print(f"{' '.join(one['members'])}  {one['probability']}  {why}", highlight=False)


@duplicates.command()
def decide(
    one: Annotated[str, typer.Argument(help="Number of one member.")],
    other: Annotated[str, typer.Argument(help="Number of the other.")],
    decision: Annotated[str, typer.Argument(help="NOT_SAME or LATER.")],
    note: Annotated[str | None, typer.Option(help="Why, for whoever looks at it again.")] = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """Decide about a pair: NOT_SAME is never proposed again."""
    with servers("tessera duplicates decide") as settings:
        from domain.duplicates.commands import decide as keep
        from domain.duplicates.model import CandidateStatus
        from domain.errors import NotFound
        from domain.members.queries import by_numbers

        if decision.upper() not in (CandidateStatus.NOT_SAME, CandidateStatus.LATER):
            raise WrongUse("a decision is NOT_SAME or LATER")

        async def act(database: "Database") -> dict[str, Any]:
            async with database.transaction() as session:
                known = await by_numbers(session, [one, other])
                if len(known) < 2:
                    raise NotFound(what="member")
                low, high = sorted(member.id for member in known.values())
                by: dict[str, Any] = {"client_id": OPERATOR, "note": note, "as_of": datetime.now(UTC)}
                row = await keep(session, (low, high), CandidateStatus(decision.upper()), **by)
                return _shown(row, [known[one].number, known[other].number])

        kept = with_database(settings, act)
    answer(kept, json, lambda console: _show(console, [kept]))
