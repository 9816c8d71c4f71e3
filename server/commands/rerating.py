"""`tessera cycle rerate`: puts lines right that were booked at a wrong price, once a second person approved."""

from datetime import date
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer
from rich.console import Console
from rich.table import Table

from server.commands.common import NO, AsOf, Home, Json, WrongUse, answer, now, say, servers, with_runtime

if TYPE_CHECKING:
    from datetime import datetime

    from alliance.rerating.commands import Asked, Preview
    from alliance.runtime import Runtime


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not a day such as 2026-11-01") from None


Agreement = Annotated[str, typer.Argument(help="The codes of its two merchants, as grocer/fuel.")]
First = Annotated[date, typer.Option("--from", parser=_day, metavar="DATE", help="The first day of the events.")]
Before = Annotated[date, typer.Option("--to", parser=_day, metavar="DATE", help="The first day that does not count.")]
Prices = Annotated[
    list[str] | None,
    typer.Option(
        "--price",
        metavar="KIND:CURRENCY=PRICE",
        help="What a point should have cost its debtor, as SPEND:GRO=0.0085. Kinds: EARN, SPEND, EXCHANGE, FUNDING, "
        "BREAKAGE, RIGHT, NO_SHOW. May be given more than once.",
    ),
]


def rerate(
    agreement: Agreement,
    first: First,
    before: Before,
    version: Annotated[int | None, typer.Option(help="The version of the agreement whose terms are right.")] = None,
    price: Prices = None,
    reason: Annotated[str, typer.Option(help="Why; it is kept with each line.")] = "command line",
    as_of: AsOf = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what it would do; ask for nothing.")] = False,
    home: Home = None,
    json: Json = False,
) -> None:
    """Ask for lines that were booked at a wrong price to be put right, in the open cycle. A second person approves."""
    with servers("tessera cycle rerate") as settings:

        async def take(runtime: "Runtime") -> dict[str, Any]:
            from alliance.approvals.commands import About
            from alliance.rerating import commands, queries
            from alliance.settlement.model import COMMAND_LINE

            moment = as_of or now()
            asked = await _asked(runtime, agreement, first, before, version, price or [])
            async with runtime.database.session() as session:
                seen = await commands.preview(session, runtime, asked, moment)
                numbers = dict(await queries.cycles(session, 0))
            told = _preview(runtime, seen, numbers) | {"dryRun": dry_run, "approval": None}
            if dry_run or not seen.lines:
                return told
            async with runtime.database.transaction() as session:
                about = About(COMMAND_LINE, reason, moment)
                outcome = await commands.rerate(session, runtime, asked, about)
            return told | {"approval": str(outcome.approval_id)}

        data = with_runtime(settings, take)
    answer(data, json, lambda console: _show(console, data))
    if not data["lines"]:
        raise typer.Exit(NO)


def rerates(
    run: Annotated[UUID | None, typer.Option(help="Carry this one out here and now; again, if it is done.")] = None,
    as_of: AsOf = None,
    first: Annotated[int, typer.Option(min=1, max=1000, help="At most so many.")] = 20,
    home: Home = None,
    json: Json = False,
) -> None:
    """List re-ratings, newest first. With --run, do what a worker does, and go over what came late or was reversed."""
    with servers("tessera cycle rerates") as settings:

        async def read(runtime: "Runtime") -> list[dict[str, Any]]:
            from alliance.rerating import queries

            if run is not None:
                await _carry_out(runtime, run, as_of or now())
            async with runtime.database.session() as session:
                found = await queries.page(session, None, first)
                lines = await queries.corrected(session, [row.id for row in found], None)
            return [
                {
                    "id": str(row.id),
                    "from": row.first_day,
                    "to": row.before_day,
                    "version": row.version,
                    "prices": row.prices,
                    "finishedAt": row.finished_at,
                    "done": row.done,
                    "lines": sum(one.lines for one in lines[row.id]),
                }
                for row in found
            ]

        rows = with_runtime(settings, read)
    answer({"rerates": rows}, json, lambda console: _list(console, rows))


async def _carry_out(runtime: "Runtime", id_: UUID, as_of: "datetime") -> None:
    from alliance.rerating import commands
    from alliance.rerating.model import Rerate

    async with runtime.database.transaction() as session:
        await commands.run_again(session, id_, as_of)
    more = True
    while more:
        async with runtime.database.transaction() as session:
            more = await commands.put_right(session, runtime, id_, as_of)
            row = await session.get(Rerate, id_)
            say(f"{0 if row is None else row.done} lines")


async def _asked(
    runtime: "Runtime", agreement: str, first: date, before: date, version: int | None, prices: list[str]
) -> "Asked":
    """What was asked for. Raises WrongUse, NotFound."""
    from alliance.agreements import queries
    from alliance.rerating.commands import Asked
    from domain.errors import NotFound

    known = runtime.catalogue.merchants
    one, _, other = agreement.partition("/")
    if one not in known or other not in known:
        raise WrongUse(f"{agreement!r} does not name two merchants, as grocer/fuel")
    async with runtime.database.session() as session:
        found = await queries.between(session, known[one].id, known[other].id)
    if found is None:
        raise NotFound(what=f"an agreement of {one} and {other}")
    return Asked(found.id, first, before, version, dict(_priced(text) for text in prices))


def _priced(text: str) -> tuple[tuple[Any, str], int]:
    from alliance.rerating.rules import Priced
    from domain.money import PRICE, scaled

    name, _, amount = text.partition("=")
    kind, _, currency = name.partition(":")
    try:
        return (Priced(kind), currency), scaled(amount, len(str(PRICE)) - 1)
    except (ValueError, ArithmeticError):
        raise WrongUse(f"{text!r} is not KIND:CURRENCY=PRICE, as SPEND:GRO=0.0085") from None


def _preview(runtime: "Runtime", seen: "Preview", numbers: dict[UUID, int]) -> dict[str, Any]:
    from domain.money import unscaled

    names = {id_: one.code for id_, one in runtime.catalogue.merchants_by_id.items()}
    return {
        "lines": seen.lines,
        "lookedAt": seen.looked_at,
        "complete": seen.complete,
        "left": {str(why): count for why, count in seen.left.items()},
        "totals": [
            {
                "debtor": names.get(debtor, "operator"),
                "creditor": names.get(creditor, "operator"),
                "cycle": numbers[cycle],
                "lines": total.lines,
                "before": unscaled(total.before, 6),
                "after": unscaled(total.after, 6),
            }
            for (debtor, creditor, cycle), total in seen.totals.items()
        ],
        "samples": [
            {
                "kind": str(one.line.kind),
                "points": one.line.points,
                "currency": one.line.currency,
                "before": unscaled(one.line.amount, 6),
                "after": unscaled(one.amount, 6),
            }
            for one in seen.samples
        ],
    }


def _show(console: Console, data: dict[str, Any]) -> None:
    table = Table(box=None)
    for column in ("debtor", "creditor", "cycle", "lines", "before", "after"):
        table.add_column(column)
    for row in data["totals"]:
        table.add_row(*(str(value) for value in row.values()))
    console.print(table)
    console.print(f"{data['lines']} of {data['lookedAt']} lines" + ("" if data["complete"] else ", and more"))
    for why, count in data["left"].items():
        console.print(f"{count} left: {why}")
    if data["approval"] is not None:
        console.print(f"waits for a second person: approval {data['approval']}")


def _list(console: Console, rows: list[dict[str, Any]]) -> None:
    for row in rows:
        state = "running" if row["finishedAt"] is None else "done"
        right = f"version {row['version']}" if row["version"] is not None else row["prices"]
        console.print(f"{row['id']}  {state}  {row['from']} to {row['to']}  {right}  {row['lines']} lines")
