"""`tessera notice`: what members are to be told before points of theirs are lost or sold, and what became of it."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.console import Console
from rich.table import Table

from server.commands.common import Home, Json, answer, aware, now, servers, with_runtime

if TYPE_CHECKING:
    from alliance.runtime import Runtime

notice = typer.Typer(help="Notices before points are lost or sold.", no_args_is_help=True)
COLUMNS = ("id", "member", "kind", "currency", "points", "due", "opens", "closes")


@notice.command("list")
def list_(
    first: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many.")] = 100,
    home: Home = None,
    json: Json = False,
) -> None:
    """Notices that are to be sent now: their window is open, and nothing but failures was reported. Oldest first."""
    with servers("tessera notice list") as settings:
        from domain.notices.queries import waiting
        from domain.pools.queries import numbers
        from resolvers import ids

        async def read(runtime: "Runtime") -> list[dict[str, Any]]:
            async with runtime.database.session() as session:
                rows = await waiting(session, now(), first)
                people = await numbers(session, [row.holder_id for row in rows])
            return [
                {
                    "id": ids.encode("Notice", row.holder_id, row.id),
                    "member": people.get(row.holder_id),
                    "kind": row.kind,
                    "currency": row.currency,
                    "points": row.points,
                    "dueAt": row.due_at.isoformat(),
                    "opensAt": row.opens_at.isoformat(),
                    "closesAt": row.closes_at and row.closes_at.isoformat(),
                }
                for row in rows
            ]

        rows = with_runtime(settings, read)
    answer({"notices": rows}, json, lambda console: _show(console, rows))


@notice.command("record")
def record(
    id_: Annotated[str, typer.Argument(metavar="ID", help="Of the notice, as listed.")],
    outcome: Annotated[
        Literal["DELIVERED", "FAILED", "NO_CHANNEL"],
        typer.Option(help="NO_CHANNEL: there is no way left to reach the member."),
    ],
    channel: Annotated[str | None, typer.Option(help="Such as SMS; a delivery names it.")] = None,
    proof: Annotated[str | None, typer.Option(help="The channel's receipt, or its hash; a delivery needs it.")] = None,
    happened_at: Annotated[
        datetime | None, typer.Option("--at", parser=aware, metavar="TIME", help="When, RFC 3339 [default: now].")
    ] = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """Keep what became of a notice, as `recordNotice` does; a later report may follow."""
    with servers("tessera notice record") as settings:
        from domain.errors import NotFound
        from domain.notices.commands import report
        from domain.notices.model import Outcome
        from resolvers import ids

        async def keep(runtime: "Runtime") -> None:
            try:
                holder_id, notice_id = ids.decode_as("Notice", id_, 2)
            except NotFound:
                raise NotFound(what="notice", path=("notice",)) from None
            moment = now()
            named: dict[str, Any] = {"holder_id": holder_id, "notice_id": notice_id, "client_id": None}
            named |= {"happened_at": happened_at or moment, "channel": channel, "proof": proof}
            async with runtime.database.transaction() as session:
                await report(session, outcome=Outcome(outcome), as_of=moment, **named)

        with_runtime(settings, keep)
    answer({"notice": id_, "outcome": outcome}, json, lambda console: console.print(f"{outcome} recorded"))


def _show(console: Console, rows: list[dict[str, Any]]) -> None:
    table = Table(*COLUMNS)
    for row in rows:
        table.add_row(*(str(value) for value in row.values()))
    console.print(table)
