"""`tessera calendar`: business days and what falls on them; `tessera cycle extend`: deadlines that pass later."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from server.commands.common import Home, Json, WrongUse, answer, aware, now, servers, with_runtime
from server.commands.report import show_rows

if TYPE_CHECKING:
    from alliance.runtime import Runtime

AHEAD = timedelta(days=30)


def calendar(
    from_: Annotated[
        datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="First day [default: today].")
    ] = None,
    to: Annotated[
        datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="Last day [default: 30 days on].")
    ] = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """Show business days, holidays, worked weekends, and the cut-offs and deadlines of cycles."""
    with servers("tessera calendar") as settings:

        async def read(runtime: "Runtime") -> dict[str, Any]:
            from alliance.deadlines import queries

            alliance, moment = runtime.catalogue.alliance, now()
            first = moment.astimezone(alliance.timezone).date() if from_ is None else from_.date()
            last = first + AHEAD if to is None else to.date()
            async with runtime.database.session() as session:
                days = await queries.days(session, alliance, first, last, moment)
            rows = [
                {
                    "date": day.date.isoformat(),
                    "weekday": f"{day.date:%a}",
                    "business": day.business,
                    "holiday": day.name,
                    "declared": day.declared,
                    "marks": [
                        {"kind": mark.kind, "at": mark.at, "cycle": None if mark.cycle is None else mark.cycle.number}
                        for mark in day.marks
                    ],
                }
                for day in days
            ]
            return {"timezone": alliance.timezone.key, "days": rows}

        data = with_runtime(settings, read)
    columns = ("date", "weekday", "business", "holiday", "falls on it")
    shown = [
        {name: row[name] for name in columns[:2]}
        | {"business": "yes" if row["business"] else "", "holiday": row["holiday"] or row["declared"] or ""}
        | {"marks": ", ".join(_mark(mark) for mark in row["marks"])}
        for row in data["days"]
    ]
    answer(data, json, lambda console: show_rows(console, columns, shown))


def _mark(mark: dict[str, Any]) -> str:
    cycle = "" if mark["cycle"] is None else f" of cycle {mark['cycle']}"
    return f"{mark['kind'].lower().replace('_', '-')}{cycle} ({mark['at']:%Y-%m-%dT%H:%MZ})"


def extend(
    number: Annotated[int, typer.Argument(help="Number of the cycle.")],
    deadline: Annotated[str, typer.Option(help="objections or payments.")],
    until: Annotated[datetime, typer.Option(parser=aware, metavar="TIME", help="The later moment, RFC 3339.")],
    reason: Annotated[str, typer.Option(help="Why; it is kept.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would come of it, and undo it.")] = False,
    home: Home = None,
    json: Json = False,
) -> None:
    """Let a deadline of a cycle pass later; unless the alliance lets one person do it, a second one approves."""
    with servers("tessera cycle extend") as settings:
        import alliance.acts  # noqa: F401 - what can be approved
        from alliance.approvals.commands import About, Waiting, act_or_ask
        from alliance.deadlines.commands import EXTEND, extendable
        from alliance.deadlines.model import DeadlineKind
        from alliance.settlement.model import COMMAND_LINE
        from alliance.settlement.queries import by_numbers
        from domain.errors import NotFound

        if deadline.upper() not in DeadlineKind.__members__:
            raise WrongUse("a deadline is of objections or payments")

        async def take(runtime: "Runtime") -> dict[str, Any]:
            async with runtime.database.session() as session:
                cycle = (await by_numbers(session, [number])).get(number)
                if cycle is None:
                    raise NotFound(what=f"cycle {number}")
                await extendable(session, cycle.id, DeadlineKind(deadline.upper()), until, now())
                args = {"cycle": str(cycle.id), "deadline": deadline.upper(), "until": until.isoformat()}
                about = About(COMMAND_LINE, reason, now())
                outcome = await act_or_ask(session, runtime, EXTEND, args, amount=None, about=about)
                if not dry_run:
                    await session.commit()
            waiting = str(outcome.approval_id) if isinstance(outcome, Waiting) else None
            return {"cycle": number, "deadline": deadline.upper(), "until": until, "approval": waiting} | (
                {"dryRun": True} if dry_run else {}
            )

        data = with_runtime(settings, take)
    told = "extended" if data["approval"] is None else f"waits for approval {data['approval']}"
    answer(data, json, lambda console: console.print(f"cycle {number}: {deadline} until {until.isoformat()}: {told}"))
