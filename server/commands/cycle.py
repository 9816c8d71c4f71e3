"""`tessera cycle`: the steps of settlement by hand. Unattended, the actor `settle` takes them when they are due."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer
from rich.console import Console
from rich.table import Table

from server.commands.common import AsOf, Home, Json, answer, now, say, servers, with_runtime

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncSession

    from alliance.runtime import Runtime
    from alliance.settlement.model import SettlementCycle

    Step = Callable[[AsyncSession, Runtime, UUID, dict[str, Any]], Awaitable[SettlementCycle]]

Number = Annotated[
    int | None, typer.Argument(help="Number of the cycle [default: the earliest that awaits this step].")
]
Known = Annotated[int, typer.Argument(help="Number of the cycle.")]
Reason = Annotated[str, typer.Option(help="Why; it is kept in the history of the cycle.")]
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
def show(number: Known, home: Home = None, json: Json = False) -> None:
    """Show a cycle: its dates, who took its steps and why, positions, payments, and what netting saves."""
    with servers("tessera cycle show") as settings:

        async def read(runtime: "Runtime") -> dict[str, Any]:
            async with runtime.database.session() as session:
                return await _in_full(session, runtime, number)

        data = with_runtime(settings, read)
    answer(data, json, lambda console: _show_full(console, data))


@cycle.command()
def close(
    number: Number = None,
    reason: Reason = "command line",
    as_of: AsOf = None,
    dry_run: DryRun = False,
    home: Home = None,
    json: Json = False,
) -> None:
    """Close the open cycle, and open the next. Nobody who posts meanwhile waits for it."""
    with servers("tessera cycle close") as settings:

        async def take(runtime: "Runtime") -> dict[str, Any]:
            id_ = await _number_to_id(runtime, number)
            return await _close(runtime, id_, _about(reason, as_of), dry_run)

        data = with_runtime(settings, take)
    answer(data, json, lambda console: _show(console, [data]))


@cycle.command("issue", hidden=True)
@cycle.command()
def state(
    number: Number = None,
    reason: Reason = "command line",
    as_of: AsOf = None,
    dry_run: DryRun = False,
    home: Home = None,
    json: Json = False,
) -> None:
    """Sum a closed cycle, and state it to its merchants."""

    async def step(session: "AsyncSession", runtime: "Runtime", id_: UUID, about: dict[str, Any]) -> "SettlementCycle":
        from alliance.settlement.commands import issue_statements

        return await issue_statements(session, runtime.catalogue.alliance, id_, **about)

    _take("state", "CLOSED", step, number, _about(reason, as_of), dry_run, json)


@cycle.command()
def confirm(
    number: Number = None,
    merchant: Annotated[str | None, typer.Option(help="Only this merchant's statement [default: all].")] = None,
    reason: Annotated[str | None, typer.Option(help="Why; asked for while merchants may still object.")] = None,
    as_of: AsOf = None,
    dry_run: DryRun = False,
    home: Home = None,
    json: Json = False,
) -> None:
    """Confirm the statements of a cycle."""

    async def step(session: "AsyncSession", runtime: "Runtime", id_: UUID, about: dict[str, Any]) -> "SettlementCycle":
        from alliance.settlement.commands import confirm_statement
        from domain.errors import NotFound

        if merchant is not None and merchant not in runtime.catalogue.merchants:
            raise NotFound(what=f"merchant {merchant!r}", path=("merchant",))
        merchant_id = None if merchant is None else runtime.catalogue.merchants[merchant].id
        early = runtime.catalogue.alliance.consent == "operator" or reason is not None
        return await confirm_statement(session, id_, merchant_id=merchant_id, early=early, **about)

    _take("confirm", "STATED", step, number, _about(reason or "command line", as_of), dry_run, json)


@cycle.command()
def net(
    number: Number = None,
    reason: Reason = "command line",
    as_of: AsOf = None,
    dry_run: DryRun = False,
    home: Home = None,
    json: Json = False,
) -> None:
    """Net a confirmed cycle, and plan its payments."""

    async def step(session: "AsyncSession", runtime: "Runtime", id_: UUID, about: dict[str, Any]) -> "SettlementCycle":
        from alliance.settlement.commands import net_cycle

        return await net_cycle(session, runtime.catalogue.alliance, id_, **about)

    _take("net", "CONFIRMED", step, number, _about(reason, as_of), dry_run, json)


@cycle.command()
def settle(
    number: Number = None,
    reason: Reason = "command line",
    as_of: AsOf = None,
    dry_run: DryRun = False,
    home: Home = None,
    json: Json = False,
) -> None:
    """Have the payments of a netted cycle made: from then on it is not aborted."""

    async def step(session: "AsyncSession", _: "Runtime", id_: UUID, about: dict[str, Any]) -> "SettlementCycle":
        from alliance.settlement.paying import settle_cycle

        return await settle_cycle(session, id_, **about)

    _take("settle", "NETTED", step, number, _about(reason, as_of), dry_run, json)


@cycle.command()
def receive(
    number: Number = None,
    payment: Annotated[int | None, typer.Option(help="Number of the payment [default: all that are left].")] = None,
    reference: Annotated[str | None, typer.Option(help="What came with it, say of a bank.")] = None,
    reason: Reason = "command line",
    as_of: AsOf = None,
    dry_run: DryRun = False,
    home: Home = None,
    json: Json = False,
) -> None:
    """Record payments as received; with the last one the cycle is settled."""

    async def step(session: "AsyncSession", runtime: "Runtime", id_: UUID, about: dict[str, Any]) -> "SettlementCycle":
        from alliance.settlement.paying import RECORD_RECEIPT, record_receipts

        alone = runtime.catalogue.alliance.by_hand.limits.get(RECORD_RECEIPT)
        return await record_receipts(session, id_, number=payment, reference=reference, alone=alone, **about)

    _take("receive", "SETTLING", step, number, _about(reason, as_of), dry_run, json)


@cycle.command()
def abort(
    number: Known,
    reason: Reason = "command line",
    as_of: AsOf = None,
    dry_run: DryRun = False,
    home: Home = None,
    json: Json = False,
) -> None:
    """Give up a cycle that is not being settled yet: its claims open the next. An open one is closed first."""
    with servers("tessera cycle abort") as settings:

        async def take(runtime: "Runtime") -> dict[str, Any]:
            from alliance.settlement.commands import abort_cycle

            about = _about(reason, as_of)
            async with runtime.database.session() as session:
                found = await _found(session, number)
                id_, is_open = found.id, found.status == "OPEN"
            if is_open and not dry_run:
                await _close(runtime, id_, about, False)
            async with runtime.database.session() as session:
                if is_open and dry_run:
                    await _closed(session, id_, about)
                moved = await abort_cycle(session, runtime.catalogue.alliance, id_, **about)
                return await _outcome(session, runtime, moved, dry_run)

        data = with_runtime(settings, take)
    answer(data, json, lambda console: _show(console, [data]))


@cycle.command()
def run(as_of: AsOf = None, dry_run: DryRun = False, home: Home = None, json: Json = False) -> None:
    """Take all steps that are due, as the scheduler would: close at the cut-off, state, confirm what is silent, net."""
    with servers("tessera cycle run") as settings:

        async def take(runtime: "Runtime") -> dict[str, Any]:
            from workers.actors.settlement import advance, foresee

            steps = []
            moving = (foresee if dry_run else advance)(runtime, as_of or now())
            async for moved in moving:
                say(f"cycle {moved.number}: {moved.status}")
                steps.append({"number": moved.number, "status": str(moved.status)})
            return {"steps": steps, "dryRun": dry_run}

        data = with_runtime(settings, take)
    answer(data, json, lambda console: console.print(f"{len(data['steps'])} steps" + (_DRY if dry_run else "")))


_DRY = "\nDry run: nothing was changed."


def _about(reason: str, as_of: "datetime | None") -> dict[str, Any]:
    from alliance.settlement.model import COMMAND_LINE

    return {"who": COMMAND_LINE, "why": reason, "as_of": as_of or now()}


def _take(
    name: str, needed: str, step: "Step", number: int | None, about: dict[str, Any], dry_run: bool, json: bool
) -> None:
    """Take one step with one cycle, and show the cycle as it is then."""
    with servers(f"tessera cycle {name}") as settings:

        async def take(runtime: "Runtime") -> dict[str, Any]:
            async with runtime.database.session() as session:
                id_ = (await _found(session, number, needed)).id
                say(f"cycle {name} ...")
                moved = await step(session, runtime, id_, about)
                return await _outcome(session, runtime, moved, dry_run)

        data = with_runtime(settings, take)
    answer(data, json, lambda console: _show(console, [data]))


async def _close(runtime: "Runtime", id_: UUID | None, about: dict[str, Any], dry_run: bool) -> dict[str, Any]:
    """Close a cycle in the transactions it takes; dry, in one that is undone."""
    from alliance.settlement import closing

    async with runtime.database.session() as session:
        if dry_run:
            return await _outcome(session, runtime, await _closed(session, id_, about), True)
        begun = (await closing.open_next(session, as_of=about["as_of"], cycle_id=id_)).id
        await session.commit()
        await closing.drained(session)
        return await _outcome(session, runtime, await closing.close_cycle(session, begun, **about), False)


async def _closed(session: "AsyncSession", id_: UUID | None, about: dict[str, Any]) -> "SettlementCycle":
    """A cycle closed in a transaction that is to be undone."""
    from alliance.settlement import closing

    begun = await closing.open_next(session, as_of=about["as_of"], cycle_id=id_)
    return await closing.close_cycle(session, begun.id, **about)


async def _outcome(
    session: "AsyncSession", runtime: "Runtime", moved: "SettlementCycle", dry_run: bool
) -> dict[str, Any]:
    """The cycle as it is after its step, which is kept unless dry."""
    (row,) = await _shown(session, runtime, [moved])
    if not dry_run:
        await session.commit()
    return {**row, "dryRun": dry_run}


async def _number_to_id(runtime: "Runtime", number: int | None) -> UUID | None:
    async with runtime.database.session() as session:
        return None if number is None else (await _found(session, number)).id


async def _found(session: "AsyncSession", number: int | None, needed: str = "") -> "SettlementCycle":
    """The cycle of that number, or the earliest that has the status needed. Raises NotFound."""
    from sqlalchemy import select

    from alliance.settlement.model import SettlementCycle
    from domain.errors import NotFound

    asked = SettlementCycle.status == needed if number is None else SettlementCycle.number == number
    found = await session.scalar(select(SettlementCycle).where(asked).order_by(SettlementCycle.number).limit(1))
    if found is None:
        raise NotFound(what=f"a cycle that is {needed}" if number is None else f"cycle {number}")
    return found


async def _shown(session: "AsyncSession", runtime: "Runtime", cycles: Any) -> list[dict[str, Any]]:
    """Cycles with their positions, the amounts as decimal strings of the settlement currency."""
    from alliance.settlement import queries
    from domain.money import from_minor

    currency = runtime.catalogue.alliance.settlement_currency
    name = _names(runtime)
    positions = await queries.net_positions(session, cycles, currency)
    return [
        {
            "id": cycle.id,
            "number": cycle.number,
            "status": str(cycle.status),
            "opensAt": cycle.opens_at,
            "closesAt": cycle.closes_at,
            "objectionsUntil": cycle.objections_until,
            "paymentsDue": cycle.payments_due,
            "currency": currency,
            "positions": {name(row.merchant_id): from_minor(row.amount, currency) for row in positions[cycle.id]},
        }
        for cycle in cycles
    ]


async def _in_full(session: "AsyncSession", runtime: "Runtime", number: int) -> dict[str, Any]:
    """A cycle with all that is known of it."""
    from alliance.disputes.queries import in_dispute
    from alliance.settlement import queries
    from domain.money import from_minor, unscaled

    currency = runtime.catalogue.alliance.settlement_currency
    found = await _found(session, number)
    (row,) = await _shown(session, runtime, [found])
    saved = (await queries.reports(session, [found], currency))[found.id]
    payments = (await queries.payments(session, [found.id]))[found.id]
    steps = (await queries.transitions(session, [found.id]))[found.id]
    name = _names(runtime)
    return row | {
        "gross": unscaled(saved.gross, 6),
        "bilateral": from_minor(saved.bilateral, currency),
        "multilateral": from_minor(saved.multilateral, currency),
        "suspended": unscaled(sum((await in_dispute(session, found.id, still=True)).values()), 6),
        "payments": [
            {
                "number": payment.seq,
                "from": name(payment.payer_id),
                "to": name(payment.payee_id),
                "amount": from_minor(payment.amount, currency),
                "status": payment.status,
                "paidAt": payment.paid_at,
            }
            for payment in payments
        ],
        "transitions": [
            {"status": step.status, "at": step.at, "asOf": step.as_of, "by": name(step.who), "why": step.why}
            for step in steps
        ],
    }


def _names(runtime: "Runtime") -> Callable[[UUID], str]:
    """What people call a merchant, the alliance, whoever took a step."""
    from alliance.settlement.model import COMMAND_LINE

    catalogue = runtime.catalogue
    known = {catalogue.alliance.id: catalogue.alliance.code, COMMAND_LINE: "command line"}
    known |= {id_: merchant.code for id_, merchant in catalogue.merchants_by_id.items()}
    return lambda id_: known.get(id_, str(id_))


def _show(console: Console, rows: list[dict[str, Any]]) -> None:
    table = Table("cycle", "status", "opened", "closed", "to receive (+) or pay (-)")
    for row in rows:
        times = [f"{row[name]:%Y-%m-%d %H:%M}" if row[name] else "" for name in ("opensAt", "closesAt")]
        positions = ", ".join(f"{code} {amount}" for code, amount in row["positions"].items())
        table.add_row(str(row["number"]), row["status"], *times, positions)
    console.print(table)
    if any(row.get("dryRun") for row in rows):
        console.print("Dry run: nothing was changed.")


def _show_full(console: Console, row: dict[str, Any]) -> None:
    _show(console, [row])
    console.print(f"gross {row['gross']}, bilateral {row['bilateral']}, multilateral {row['multilateral']}")
    console.print(f"objected to, and not settled until that is decided: {row['suspended']}")
    for name, title in (("objectionsUntil", "objections until"), ("paymentsDue", "payments due")):
        if row[name]:
            console.print(f"{title} {row[name]:%Y-%m-%d %H:%M %Z}")
    steps = Table("step", "at", "as of", "by", "why")
    for step in row["transitions"]:
        times = [f"{step[name]:%Y-%m-%d %H:%M:%S}" for name in ("at", "asOf")]
        steps.add_row(step["status"], *times, step["by"], step["why"])
    console.print(steps)
    payments = Table("payment", "from", "to", "amount", "status")
    for payment in row["payments"]:
        payments.add_row(
            str(payment["number"]), payment["from"], payment["to"], str(payment["amount"]), payment["status"]
        )
    console.print(payments)
