"""`tessera cycle report`: what netting saves in a cycle, and what cancelling loops of debts would."""

from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from server.commands.common import Home, Json, answer, servers, with_runtime

if TYPE_CHECKING:
    from alliance.runtime import Runtime


def netting_report(
    number: Annotated[int | None, typer.Argument(help="Number of the cycle [default: the last one closed].")] = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """What netting saves in a cycle, in amounts and payments, and what cancelling loops of debts would save."""
    with servers("tessera cycle report") as settings:
        data = with_runtime(settings, lambda runtime: _read(runtime, number))
    answer(data, json, lambda console: _show(console, data))


async def _read(runtime: "Runtime", number: int | None) -> dict[str, Any]:
    from alliance.disputes.queries import in_dispute
    from alliance.settlement import queries
    from alliance.settlement.loops import cancel_loops
    from alliance.settlement.rules import minor_unit, owed, report, saving
    from domain.errors import NotFound
    from domain.money import MICRO, from_minor, unscaled

    currency = runtime.catalogue.alliance.settlement_currency
    unit = minor_unit(currency)
    async with runtime.database.session() as session:
        newest = await queries.open_cycle(session)
        asked = number if number is not None else newest.number - 1 if newest is not None else 0
        cycle = (await queries.by_numbers(session, [asked])).get(asked)
        if cycle is None:
            raise NotFound(what="a closed cycle" if number is None else f"cycle {number}")
        nets = (await queries.pair_nets(session, [cycle], currency))[cycle.id]
        plan = (await queries.plans_of(session, [cycle])).get(cycle.id)
        disputed = sum((await in_dispute(session, cycle.id, still=True)).values())
    found = report(nets, plan)
    left = cancel_loops(owed(nets))

    def stage(amount: int, payments: int | None) -> dict[str, Any]:
        saved = str(saving(found.gross, amount * unit))
        return {"amount": from_minor(amount, currency), "payments": payments, "savingPercent": saved}

    return {
        "number": cycle.number,
        "status": str(cycle.status),
        "currency": currency,
        "obligations": found.obligations,
        "gross": {
            "amount": unscaled(found.gross, len(str(MICRO)) - 1),
            "payments": found.debts,
            "savingPercent": "0.00",
        },
        "bilateral": stage(found.bilateral, found.nets),
        "loopsCancelled": stage(sum(left.values()), len(left)),
        "multilateral": stage(found.multilateral, found.payments),
        "carried": None if found.carried is None else from_minor(found.carried, currency),
        "suspended": unscaled(disputed, len(str(MICRO)) - 1),
    }


def _show(console: Console, data: dict[str, Any]) -> None:
    title = f"cycle {data['number']} ({data['status']}), {data['obligations']:,} obligations, {data['currency']}"
    table = Table("to be paid", "amount", "payments", "saving %", title=title)
    for column in table.columns[1:]:
        column.justify = "right"
    stages = {
        "gross": "gross",
        "bilateral": "each pair netted",
        "loopsCancelled": "loops of debts cancelled as well",
        "multilateral": "all netted against all",
    }
    for name, words in stages.items():
        stage = data[name]
        payments = "" if stage["payments"] is None else f"{stage['payments']:,}"
        table.add_row(words, stage["amount"], payments, stage["savingPercent"])
    console.print(table)
    if data["carried"] is None:
        console.print("Payments are planned when the cycle is netted.")
    else:
        console.print(f"Carried to the next cycle, too small to be paid: {data['carried']}")
    console.print(f"Objected to, and not settled until that is decided: {data['suspended']}")
