"""`tessera cycle`: the steps of settlement by hand. Unattended, the actor `settle` takes them when they are due."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer
from rich.console import Console
from rich.table import Table

from server.commands.common import AsOf, Home, Json, answer, now, servers, with_runtime

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncSession

    from alliance.runtime import Runtime
    from alliance.settlement.model import SettlementCycle

    Step = Callable[[AsyncSession, Runtime, Any, datetime], Awaitable[SettlementCycle]]

WHO = UUID("00000000-0000-7000-8000-7e55e7ac0de0")
"""In a cycle's history: whoever was at the command line."""
WHY = "command line"

Number = Annotated[
    int | None, typer.Argument(help="Number of the cycle [default: the earliest that awaits this step].")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would come of it, and undo it.")]

cycle = typer.Typer(help="Settlement cycles.", no_args_is_help=True)


@cycle.command("list")
def list_(
    first: Annotated[int, typer.Option(min=1, max=1000, help="At most so many.")] = 20,
    home: Home = None,
    json: Json = False,
) -> None:
    """List cycles, newest first, with the net position of every merchant."""
    with servers("tessera cycle list") as settings:
        from alliance.settlement import queries

        async def read(runtime: "Runtime") -> list[dict[str, Any]]:
            async with runtime.database.session() as session:
                return await _shown(session, runtime, await queries.page(session, first=first))

        rows = with_runtime(settings, read)
    answer({"cycles": rows}, json, lambda console: _show(console, rows))


@cycle.command()
def close(
    number: Number = None, as_of: AsOf = None, dry_run: DryRun = False, home: Home = None, json: Json = False
) -> None:
    """Close the open cycle, and open the next."""

    async def step(session: "AsyncSession", _: "Runtime", id_: Any, at: "datetime") -> "SettlementCycle":
        from alliance.settlement.commands import close_cycle

        return await close_cycle(session, who=WHO, why=WHY, as_of=at, cycle_id=id_)

    _take("close", "OPEN", step, number, as_of, dry_run, json)


@cycle.command()
def issue(
    number: Number = None, as_of: AsOf = None, dry_run: DryRun = False, home: Home = None, json: Json = False
) -> None:
    """Sum a closed cycle, and state it to its merchants."""

    async def step(session: "AsyncSession", runtime: "Runtime", id_: Any, at: "datetime") -> "SettlementCycle":
        from alliance.settlement.commands import issue_statements

        return await issue_statements(session, runtime.catalogue.alliance, id_, who=WHO, why=WHY, as_of=at)

    _take("issue", "CLOSED", step, number, as_of, dry_run, json)


@cycle.command()
def confirm(
    number: Number = None,
    merchant: Annotated[str | None, typer.Option(help="Only this merchant's statement [default: all].")] = None,
    as_of: AsOf = None,
    dry_run: DryRun = False,
    home: Home = None,
    json: Json = False,
) -> None:
    """Confirm the statements of a cycle."""

    async def step(session: "AsyncSession", runtime: "Runtime", id_: Any, at: "datetime") -> "SettlementCycle":
        from alliance.settlement.commands import confirm_statement
        from domain.errors import NotFound

        if merchant is not None and merchant not in runtime.catalogue.merchants:
            raise NotFound(what=f"merchant {merchant!r}", path=("merchant",))
        merchant_id = None if merchant is None else runtime.catalogue.merchants[merchant].id
        return await confirm_statement(session, id_, merchant_id=merchant_id, who=WHO, why=WHY, as_of=at)

    _take("confirm", "STATED", step, number, as_of, dry_run, json)


@cycle.command()
def net(
    number: Number = None, as_of: AsOf = None, dry_run: DryRun = False, home: Home = None, json: Json = False
) -> None:
    """Net a confirmed cycle, and plan its payments."""

    async def step(session: "AsyncSession", runtime: "Runtime", id_: Any, at: "datetime") -> "SettlementCycle":
        from alliance.settlement.commands import net_cycle

        return await net_cycle(session, runtime.catalogue.alliance, id_, who=WHO, why=WHY, as_of=at)

    _take("net", "CONFIRMED", step, number, as_of, dry_run, json)


@cycle.command()
def settle(
    number: Number = None, as_of: AsOf = None, dry_run: DryRun = False, home: Home = None, json: Json = False
) -> None:
    """Record the payments of a netted cycle as made."""

    async def step(session: "AsyncSession", _: "Runtime", id_: Any, at: "datetime") -> "SettlementCycle":
        from alliance.settlement.commands import settle_cycle

        return await settle_cycle(session, id_, who=WHO, why=WHY, as_of=at)

    _take("settle", "NETTED", step, number, as_of, dry_run, json)


def _take(
    name: str, needed: str, step: "Step", number: int | None, as_of: "datetime | None", dry_run: bool, json: bool
) -> None:
    """Take one step with one cycle, and show the cycle as it is then."""
    with servers(f"tessera cycle {name}") as settings:

        async def take(runtime: "Runtime") -> dict[str, Any]:
            async with runtime.database.session() as session:
                id_ = await _chosen(session, number, needed)
                moved = await step(session, runtime, id_, as_of or now())
                (row,) = await _shown(session, runtime, [moved])
                if not dry_run:
                    await session.commit()
                return {**row, "dryRun": dry_run}

        data = with_runtime(settings, take)
    answer(data, json, lambda console: _show(console, [data]))


async def _chosen(session: "AsyncSession", number: int | None, needed: str) -> UUID | None:
    """The id of the cycle to work on; None for the open one before there is any. Raises NotFound."""
    from sqlalchemy import select

    from alliance.settlement.model import SettlementCycle
    from domain.errors import NotFound

    asked = SettlementCycle.status == needed if number is None else SettlementCycle.number == number
    id_ = await session.scalar(select(SettlementCycle.id).where(asked).order_by(SettlementCycle.number).limit(1))
    if id_ is None and (number is not None or needed != "OPEN"):
        raise NotFound(what=f"a cycle that is {needed}" if number is None else f"cycle {number}")
    return id_


async def _shown(session: "AsyncSession", runtime: "Runtime", cycles: Any) -> list[dict[str, Any]]:
    """Cycles with their positions, the amounts as decimal strings of the settlement currency."""
    from alliance.settlement import queries
    from domain.money import from_minor

    alliance = runtime.catalogue.alliance
    names = {alliance.id: alliance.code} | {id_: m.code for id_, m in runtime.catalogue.merchants_by_id.items()}
    positions = await queries.net_positions(session, cycles, alliance.settlement_currency)
    return [
        {
            "id": cycle.id,
            "number": cycle.number,
            "status": str(cycle.status),
            "opensAt": cycle.opens_at,
            "closesAt": cycle.closes_at,
            "currency": alliance.settlement_currency,
            "positions": {
                names.get(position.merchant_id, str(position.merchant_id)): from_minor(
                    position.amount, alliance.settlement_currency
                )
                for position in positions[cycle.id]
            },
        }
        for cycle in cycles
    ]


def _show(console: Console, rows: list[dict[str, Any]]) -> None:
    table = Table("cycle", "status", "opened", "closed", "to receive (+) or pay (-)")
    for row in rows:
        times = [f"{row[name]:%Y-%m-%d %H:%M}" if row[name] else "" for name in ("opensAt", "closesAt")]
        positions = ", ".join(f"{code} {amount}" for code, amount in row["positions"].items())
        table.add_row(str(row["number"]), row["status"], *times, positions)
    console.print(table)
    if any(row.get("dryRun") for row in rows):
        console.print("Dry run: nothing was changed.")
